/* From reset to main: the vector table, variables, and the few functions of a C library that compilers count on. */
#include <stddef.h>
#include <stdint.h>

#include "registers.h"

extern uint32_t firmware_stack_end[], firmware_data_begin[], firmware_data_end[], firmware_data_load[];
extern uint32_t firmware_clear_begin[], firmware_clear_end[];

int main(void);
void reset_handler(void);

void *memcpy(void *restrict target, const void *restrict source, size_t bytes);
void *memmove(void *target, const void *source, size_t bytes);
void *memset(void *target, int value, size_t bytes);

/* Nothing is left to do after a fault; a debugger, or the emulator, sees where it was. */
static void fault_handler(void)
{
    for (;;) {
        __asm__ volatile("bkpt #0");
    }
}

typedef union {
    void *stack;
    void (*handler)(void);
} vector;

/* Armv7-M: the first stack pointer, reset, NMI, and the faults. No interrupt is ever enabled. */
__attribute__((section(".vectors"), used)) static const vector vectors[16] = {
    {.stack = firmware_stack_end}, {.handler = reset_handler}, {.handler = fault_handler}, {.handler = fault_handler},
    {.handler = fault_handler},    {.handler = fault_handler}, {.handler = fault_handler},
};

/* Interrupts stay off; the FPU is on before the first function that may use it. */
static void start_core(void)
{
    __asm__ volatile("cpsid i");
#ifdef __ARM_FP
    SCB_CPACR |= SCB_CPACR_CP10_MASK | SCB_CPACR_CP11_MASK;
#endif
    SCB_VTOR = (uint32_t)(uintptr_t)vectors;
    __asm__ volatile("dsb\n\tisb" ::: "memory");
}

void reset_handler(void)
{
    start_core();
    const uint32_t *from = firmware_data_load;
    for (uint32_t *to = firmware_data_begin; to < firmware_data_end; to++) {
        *to = *from++;
    }
    for (uint32_t *to = firmware_clear_begin; to < firmware_clear_end; to++) {
        *to = 0;
    }
    (void)main();
    fault_handler();
}

/* The loops below must not become calls of what they define: this file is compiled with -fno-builtin and, by gcc, with
 * -fno-tree-loop-distribute-patterns. */
void *memcpy(void *restrict target, const void *restrict source, size_t bytes)
{
    uint8_t *to = target;
    const uint8_t *from = source;
    if (((uintptr_t)to & 3u) == 0 && ((uintptr_t)from & 3u) == 0) {
        for (; bytes >= 4; bytes -= 4, to += 4, from += 4) {
            *(uint32_t *)(void *)to = *(const uint32_t *)(const void *)from;
        }
    }
    while (bytes-- > 0) {
        *to++ = *from++;
    }
    return target;
}

void *memmove(void *target, const void *source, size_t bytes)
{
    uint8_t *to = target;
    const uint8_t *from = source;
    if ((uintptr_t)to <= (uintptr_t)from) {
        for (size_t i = 0; i < bytes; i++) {
            to[i] = from[i];
        }
    } else {
        while (bytes-- > 0) {
            to[bytes] = from[bytes];
        }
    }
    return target;
}

void *memset(void *target, int value, size_t bytes)
{
    uint8_t *to = target;
    if (((uintptr_t)to & 3u) == 0) {
        uint32_t word = (uint8_t)value * 0x01010101u;
        for (; bytes >= 4; bytes -= 4, to += 4) {
            *(uint32_t *)(void *)to = word;
        }
    }
    while (bytes-- > 0) {
        *to++ = (uint8_t)value;
    }
    return target;
}
