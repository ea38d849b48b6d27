/* The part's serial port, polled: 8 data bits, no parity, one stop bit. */
#ifndef UART_H
#define UART_H

#include <stdbool.h>
#include <stdint.h>

void uart_start(void);

/* Whether the port's divider makes that rate (baud) of its clock as it is now, within 1 %. */
bool uart_can(uint32_t rate);

/* Goes over to another rate once everything that was sent is out. */
void uart_change(uint32_t rate);

void uart_send(uint8_t byte);

/* Waits for a byte for at most `milliseconds` (0: for ever), and says whether it came in that time. A byte that came later
 * is left where it is: it begins something new. */
bool uart_wait(uint32_t milliseconds);

/* The byte that `uart_wait` has found. */
uint8_t uart_take(void);

#endif
