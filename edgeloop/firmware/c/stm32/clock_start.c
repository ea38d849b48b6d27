#include "clock_start.h"

#include "clock.h"
#include "part.h"

static const char *trouble;

bool clock_fails(const char *what)
{
    trouble = what;
    return false;
}

const char *clock_trouble(void)
{
    return trouble;
}

uint32_t clock_uart_hz(void)
{
    return clock_apb_hz(PART_UART_BUS);
}
