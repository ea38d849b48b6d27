/* What is left of the part's memories beside variables, arena and stack, as one row of bytes: places 0, 1, 2, ... */
#ifndef STORE_H
#define STORE_H

#include <stdint.h>

/* Touches every memory, in steps that no memory with a clock of its own falls through: one that does not answer stops the firmware here, at boot, and not in a run. */
void store_start(void);

uint32_t store_bytes(void);

/* The memory at `place`; `bytes` that are wanted there become those that lie in one piece. */
uint8_t *store_at(uint32_t place, uint32_t *bytes);

/* Copies; what is copied must lie within `store_bytes`. */
void store_write(uint32_t place, const void *source, uint32_t bytes);
void store_read(uint32_t place, void *target, uint32_t bytes);

#endif
