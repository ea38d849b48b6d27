/* How registers and their fields are read and written; registers.h, written by edgeloop, has their addresses. */
#ifndef REGISTERS_ACCESS_H
#define REGISTERS_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

#define WORD(address) (*(volatile uint32_t *)(uintptr_t)(address))

#define FIELD_GET(REGISTER, FIELD) ((REGISTER & REGISTER##_##FIELD##_MASK) >> REGISTER##_##FIELD##_AT)
#define FIELD_SET(REGISTER, FIELD, VALUE) \
    (REGISTER = (REGISTER & ~REGISTER##_##FIELD##_MASK) | ((uint32_t)(VALUE) << REGISTER##_##FIELD##_AT))

/* Of a peripheral that the part has several of, at BASE. */
#define FIELD_SET_AT(BASE, REGISTER, FIELD, VALUE) \
    (REGISTER(BASE) = (REGISTER(BASE) & ~REGISTER##_##FIELD##_MASK) | ((uint32_t)(VALUE) << REGISTER##_##FIELD##_AT))

/* Reads `address` until it has `value` in `mask`. False: it has not after `reads` of them, and never hangs. */
bool register_becomes(volatile const uint32_t *address, uint32_t mask, uint32_t value, uint32_t reads);

#define FIELD_BECOMES(REGISTER, FIELD, VALUE, READS) \
    register_becomes(&(REGISTER), REGISTER##_##FIELD##_MASK, (uint32_t)(VALUE) << REGISTER##_##FIELD##_AT, READS)

#endif
