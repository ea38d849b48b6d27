/* The stack grows downwards from firmware_stack_end to firmware_stack_begin (part.ld). */
#include "stack.h"

enum { PAINT = 0x5a5a5a5a };

extern uint32_t firmware_stack_begin[];

static uint32_t *painted_from;

__attribute__((noinline)) void stack_paint(void)
{
    uint32_t *top;
    __asm__ volatile("mov %0, sp" : "=r"(top));
    for (uint32_t *word = firmware_stack_begin; word < top; word++) {
        *word = PAINT;
    }
    painted_from = top;
}

int32_t stack_used(void)
{
    const uint32_t *word = firmware_stack_begin;
    while (word < painted_from && *word == PAINT) {
        word++;
    }
    return (int32_t)((painted_from - word) * (int32_t)sizeof *word);
}
