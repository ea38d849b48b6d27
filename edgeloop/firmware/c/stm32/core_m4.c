/* The Cortex-M4 has no caches of its own; what the flash memory's accelerator does is set with the clock. */
#include "board.h"
#include "part.h"
#include "registers.h"

void board_core_start(void)
{
}

/* Bits 10 and 9: the accelerator's caches for data and instructions, 8: its prefetch, as in FLASH_ACR itself. */
uint32_t board_cache_word(void)
{
    uint32_t accelerator = FLASH_ACR & (FLASH_ACR_DCEN_MASK | FLASH_ACR_ICEN_MASK | FLASH_ACR_PRFTEN_MASK);
    uint32_t fpu = FIELD_GET(SCB_CPACR, CP10) == 3u;
    return (uint32_t)PART_SERIES << 24 | fpu << 16 | accelerator | FIELD_GET(FLASH_ACR, LATENCY);
}
