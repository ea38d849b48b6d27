/* What the start-up of the clocks has in common in all families. */
#ifndef CLOCK_START_H
#define CLOCK_START_H

#include <stdbool.h>

/* How often a register is read before what it waits for counts as absent. */
enum { READS = 100000, OSCILLATOR_READS = 200000 };

/* Keeps `what` for clock_trouble. Always false. */
bool clock_fails(const char *what);

#endif
