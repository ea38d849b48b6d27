/* The Cortex-M7's caches and its memory protection unit. */
#include "board.h"
#include "part.h"
#include "registers.h"

enum { HALF_GIB = 28 };

static void synchronize(void)
{
    __asm__ volatile("dsb\n\tisb" ::: "memory");
}

/* No access at all to half a GiB from `begin` on. A region lies at a multiple of its size. */
static void close(uint32_t number, uint32_t begin)
{
    MPU_RNR = number;
    MPU_RBAR = begin;
    MPU_RASR = MPU_RASR_XN_MASK | (uint32_t)HALF_GIB << MPU_RASR_SIZE_AT | MPU_RASR_ENABLE_MASK;
}

/* The core reads ahead, also where nobody meant to read: memory controllers that are off, or memory that the board does not
 * have. It is kept away from all external memory, 0x60000000 to 0x9fffffff (Armv7-M ARM, B3.5; ST's AN4838). */
static void protect(void)
{
    close(0, 0x60000000u);
    close(1, 0x80000000u);
    MPU_CTRL = MPU_CTRL_PRIVDEFENA_MASK | MPU_CTRL_ENABLE_MASK;
    synchronize();
}

static void switch_on_instruction_cache(void)
{
    synchronize();
    SCB_ICIALLU = 0;
    synchronize();
    FIELD_SET(SCB_CCR, IC, 1);
    synchronize();
}

/* What the cache holds after a reset is not defined: every line is made invalid first (Armv7-M ARM, B4.8). Lines have 32 bytes:
 * sets begin at bit 5, ways at the top, where those of the 4 ways are two bits. */
static void switch_on_data_cache(void)
{
    SCB_CSSELR = 0;
    synchronize();
    uint32_t last_set = FIELD_GET(SCB_CCSIDR, SETS), last_way = FIELD_GET(SCB_CCSIDR, ASSOCIATIVITY);
    for (uint32_t set = 0; set <= last_set; set++) {
        for (uint32_t way = 0; way <= last_way; way++) {
            SCB_DCISW = set << 5 | way << 30;
        }
    }
    synchronize();
    FIELD_SET(SCB_CCR, DC, 1);
    synchronize();
}

void board_core_start(void)
{
    protect();
    switch_on_instruction_cache();
    switch_on_data_cache();
}

uint32_t board_cache_word(void)
{
    uint32_t fpu = FIELD_GET(SCB_CPACR, CP10) == 3u;
    uint32_t caches = FIELD_GET(SCB_CCR, DC) << 11 | FIELD_GET(SCB_CCR, IC) << 10;
    return (uint32_t)PART_SERIES << 24 | fpu << 16 | caches | FIELD_GET(FLASH_ACR, LATENCY);
}
