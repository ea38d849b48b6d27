/* An emulated part has no caches, no pins and no LED, and is what it was built for. */
#include "board.h"

#include "part.h"

void board_core_start(void)
{
}

void board_pins_start(void)
{
}

void board_led(bool on)
{
    (void)on;
}

uint32_t board_device_id(void)
{
    return PART_DEVICE_ID;
}

uint32_t board_cache_word(void)
{
    return (uint32_t)PART_SERIES << 24;
}
