/* What the second core of an STM32H745, H747, H755 or H757 finds where it boots: it boots with the first one (option bit BCM4),
 * at the beginning of the second bank of flash memory, and would run whatever lies there. Here it sleeps, for ever. */
#include <stdint.h>

enum { END_OF_SRAM4 = 0x38010000 };

__attribute__((naked)) static void sleep_for_ever(void)
{
    __asm__ volatile("1: wfi\n\tb 1b");
}

typedef union {
    uint32_t stack;
    void (*handler)(void);
} vector;

__attribute__((section(".second_core"), used)) static const vector vectors[16] = {
    {.stack = END_OF_SRAM4},     {.handler = sleep_for_ever}, {.handler = sleep_for_ever}, {.handler = sleep_for_ever},
    {.handler = sleep_for_ever}, {.handler = sleep_for_ever}, {.handler = sleep_for_ever},
};
