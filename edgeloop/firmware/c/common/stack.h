/* How deep the stack was: it is painted, and looked at afterwards. */
#ifndef STACK_H
#define STACK_H

#include <stdint.h>

/* Paints all of the stack that is not in use. */
void stack_paint(void);

/* The deepest use since it was painted, in bytes below where it was then. */
int32_t stack_used(void);

#endif
