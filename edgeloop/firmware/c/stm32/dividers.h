/* How all STM32 write the dividers of their buses into registers. */
#ifndef DIVIDERS_H
#define DIVIDERS_H

#include <stdint.h>

/* HPRE: 0xxx divides by 1, 1000 to 1111 by 2, 4, 8, 16, 64, 128, 256, 512. */
static inline uint32_t ahb_shift(uint32_t code)
{
    return code < 8u ? 0u : code < 12u ? code - 7u : code - 6u;
}

/* PPRE: 0xx divides by 1, 100 to 111 by 2, 4, 8, 16. */
static inline uint32_t apb_shift(uint32_t code)
{
    return code < 4u ? 0u : code - 3u;
}

#endif
