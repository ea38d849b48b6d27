/* The cycle counter of the debug unit (Armv7-M Architecture Reference Manual, C1.8) or, where there is none, SysTick (B3.3). */
#include "cycles.h"

#define WORD(address) (*(volatile uint32_t *)(uintptr_t)(address))

#if PART_COUNTER == PART_COUNTER_DWT

#define DEMCR WORD(0xe000edfcu)
#define DWT_CTRL WORD(0xe0001000u)
#define DWT_CYCCNT WORD(0xe0001004u)
#define DWT_LAR WORD(0xe0001fb0u)

void cycles_start(void)
{
    DEMCR |= 1u << 24;
    DWT_LAR = 0xc5acce55u;
    DWT_CYCCNT = 0;
    DWT_CTRL |= 1u;
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

#define SYST_CSR WORD(0xe000e010u)
#define SYST_RVR WORD(0xe000e014u)
#define SYST_CVR WORD(0xe000e018u)
#define TURN 0xffffffu

void cycles_start(void)
{
    SYST_RVR = TURN;
    SYST_CVR = 0;
    SYST_CSR = 5u;
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
