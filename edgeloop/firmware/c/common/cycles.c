/* The cycle counter of the debug unit (Armv7-M Architecture Reference Manual, C1.8) or, where there is none, SysTick (B3.3). */
#include "cycles.h"

#include "clock.h"
#include "registers.h"

static uint32_t per_millisecond;

static void take_clock(void)
{
    per_millisecond = clock_cpu_hz() / 1000u;
}

uint32_t cycles_per_millisecond(void)
{
    return per_millisecond;
}

#if PART_COUNTER == PART_COUNTER_DWT

void cycles_start(void)
{
    take_clock();
    FIELD_SET(SCB_DEMCR, TRCENA, 1);
    /* On the Cortex-M7 writes are ignored until the unit is unlocked; elsewhere there is nothing at this address. */
    DWT_LAR = 0xc5acce55u;
    DWT_CYCCNT = 0;
    FIELD_SET(DWT_CTRL, CYCCNTENA, 1);
}

__attribute__((noinline)) uint32_t cycles_now(void)
{
    return DWT_CYCCNT;
}

uint32_t cycles_between(uint32_t earlier, uint32_t later)
{
    return later - earlier;
}

#else

#define TURN 0xffffffu

void cycles_start(void)
{
    take_clock();
    SYST_RVR = TURN;
    SYST_CVR = 0;
    SYST_CSR = SYST_CSR_ENABLE_MASK | SYST_CSR_CLKSOURCE_MASK;
}

__attribute__((noinline)) uint32_t cycles_now(void)
{
    return SYST_CVR;
}

uint32_t cycles_between(uint32_t earlier, uint32_t later)
{
    /* It counts down, and 24 bits wide. */
    return ((earlier - later) & TURN) * PART_CYCLES_PER_TICK;
}

#endif

static uint32_t aside;

void cycles_set_aside(uint32_t since)
{
    aside += cycles_between(since, cycles_now());
}

uint32_t cycles_aside(void)
{
    uint32_t cycles = aside;
    aside = 0;
    return cycles;
}
