/* What is on the board beside clocks and serial port, and what the part says of itself. */
#ifndef BOARD_H
#define BOARD_H

#include <stdbool.h>
#include <stdint.h>

/* The core as it is to run: caches on, memory that the board does not have out of reach. */
void board_core_start(void);

/* Clocks of memories and ports, and the pins of serial port and LED. */
void board_pins_start(void);

void board_led(bool on);

/* DEV_ID of the debug unit. */
uint32_t board_device_id(void);

/* The protocol's cache word, from the registers: series, FPU, caches, accelerator, wait states of the flash. */
uint32_t board_cache_word(void);

#endif
