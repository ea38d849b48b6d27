/* The linker says where each memory's rest begins and ends (part.ld.in), part.h how many there are. */
#include "store.h"

#include <stddef.h>

#include "part.h"

void *memcpy(void *restrict target, const void *restrict source, size_t bytes);

#define DECLARED(number) extern uint8_t firmware_spare_##number##_begin[], firmware_spare_##number##_end[];
PART_SPARES(DECLARED)

#define LISTED(number) {firmware_spare_##number##_begin, firmware_spare_##number##_end},
static const struct {
    uint8_t *begin;
    uint8_t *end;
} areas[] = {PART_SPARES(LISTED)};

enum { AREAS = sizeof areas / sizeof areas[0], BLOCK = 16 * 1024 };

static uint32_t area_bytes(uint32_t area)
{
    return (uint32_t)(areas[area].end - areas[area].begin);
}

void store_start(void)
{
    for (uint32_t area = 0; area < AREAS; area++) {
        for (uint32_t place = 0; place < area_bytes(area); place += BLOCK) {
            *(volatile uint8_t *)(areas[area].begin + place) = 0;
        }
    }
}

uint32_t store_bytes(void)
{
    uint32_t bytes = 0;
    for (uint32_t area = 0; area < AREAS; area++) {
        bytes += area_bytes(area);
    }
    return bytes;
}

uint8_t *store_at(uint32_t place, uint32_t *bytes)
{
    uint32_t area = 0;
    while (area + 1 < AREAS && place >= area_bytes(area)) {
        place -= area_bytes(area);
        area++;
    }
    uint32_t left = area_bytes(area) - place;
    *bytes = *bytes < left ? *bytes : left;
    return areas[area].begin + place;
}

void store_write(uint32_t place, const void *source, uint32_t bytes)
{
    const uint8_t *from = source;
    while (bytes > 0) {
        uint32_t piece = bytes;
        uint8_t *to = store_at(place, &piece);
        (void)memcpy(to, from, piece);
        place += piece;
        from += piece;
        bytes -= piece;
    }
}

void store_read(uint32_t place, void *target, uint32_t bytes)
{
    uint8_t *to = target;
    while (bytes > 0) {
        uint32_t piece = bytes;
        const uint8_t *from = store_at(place, &piece);
        (void)memcpy(to, from, piece);
        place += piece;
        to += piece;
        bytes -= piece;
    }
}
