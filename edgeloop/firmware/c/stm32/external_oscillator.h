/* The external oscillator (HSE), which RCC_CR switches alike in the families that run from it. */
#ifndef EXTERNAL_OSCILLATOR_H
#define EXTERNAL_OSCILLATOR_H

#include "clock_start.h"
#include "part.h"
#include "registers.h"

static inline bool try_external_oscillator(uint32_t is_bypassed)
{
    FIELD_SET(RCC_CR, HSEON, 0);
    (void)FIELD_BECOMES(RCC_CR, HSERDY, 0, READS);
    FIELD_SET(RCC_CR, HSEBYP, is_bypassed);
    FIELD_SET(RCC_CR, HSEON, 1);
    return FIELD_BECOMES(RCC_CR, HSERDY, 1, OSCILLATOR_READS);
}

/* A crystal does not swing with its amplifier bypassed, and a board may have been made with the other kind of source. */
static inline bool start_external_oscillator(void)
{
    return try_external_oscillator(PART_SOURCE_BYPASS) || try_external_oscillator(!PART_SOURCE_BYPASS) ||
           clock_fails("the external oscillator does not start");
}

static inline const char *external_oscillator_kind(void)
{
    return FIELD_GET(RCC_CR, HSEBYP) ? "a clock from outside" : "a crystal";
}

#endif
