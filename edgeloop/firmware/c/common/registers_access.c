/* Waiting for a register, with an end. */
#include "registers_access.h"

bool register_becomes(volatile const uint32_t *address, uint32_t mask, uint32_t value, uint32_t reads)
{
    for (uint32_t count = 0; count < reads; count++) {
        if ((*address & mask) == value) {
            return true;
        }
    }
    return false;
}
