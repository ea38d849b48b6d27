/* CPU cycles, by the core's own counter. */
#ifndef CYCLES_H
#define CYCLES_H

#include <stdint.h>

#include "part.h"

/* Once the part's clock is what it will be. */
void cycles_start(void);

uint32_t cycles_per_millisecond(void);

/* The counter. It is a function on its own, never inlined: an emulator that counts whole blocks of instructions then sees
 * every reading at the same place of the same block, and differences are exact. */
uint32_t cycles_now(void);

/* Cycles from one reading to a later one; less than a turn of the counter may lie between them. */
uint32_t cycles_between(uint32_t earlier, uint32_t later);

/* What was done since a reading is no part of what is timed. */
void cycles_set_aside(uint32_t since);

/* The cycles that were set aside since this was asked last. */
uint32_t cycles_aside(void);

#endif
