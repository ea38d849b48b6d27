/* An emulated part has no clock tree: its frequencies are assumed. */
#include "clock.h"

#include <stddef.h>

#include "part.h"

void clock_start(void)
{
}

const char *clock_trouble(void)
{
    return NULL;
}

uint32_t clock_cpu_hz(void)
{
    return PART_CLOCK_HZ;
}

uint32_t clock_bus_hz(void)
{
    return PART_BUS_HZ;
}

uint32_t clock_apb_hz(uint32_t bus)
{
    (void)bus;
    return 0;
}

const char *clock_source(void)
{
    return "nothing";
}

uint32_t clock_uart_hz(void)
{
    return PART_BUS_HZ;
}
