/* The part's clocks: how they are set up, and what they are. */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>

/* Brings the part to the clock of its data (part.h). Every wait has an end: what does not come up leaves the part at the
 * internal oscillator that it has started with, and clock_trouble says what it was. */
void clock_start(void);

/* What went wrong; NULL for nothing. */
const char *clock_trouble(void);

/* Real frequencies, computed from the registers as they are now; only the frequency of the oscillators is taken from part.h. */
uint32_t clock_cpu_hz(void);
uint32_t clock_bus_hz(void);  /* of the AHB */
uint32_t clock_apb_hz(uint32_t bus); /* 0: there is no such bus */
uint32_t clock_uart_hz(void); /* what the serial port's divider divides */

/* What all of them are made from: "a crystal", "a clock from outside", "the internal oscillator". */
const char *clock_source(void);

#endif
