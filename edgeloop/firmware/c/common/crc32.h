/* CRC-32 as zlib, Ethernet and PNG have it (polynomial 0x04c11db7, reflected). */
#ifndef CRC32_H
#define CRC32_H

#include <stdint.h>

#define CRC32_START 0xffffffffu

extern const uint32_t crc32_nibbles[16];

/* With one more byte, half a byte at a time: 64 bytes of table, about 15 instructions. */
static inline uint32_t crc32_add(uint32_t crc, uint8_t byte)
{
    crc = crc >> 4 ^ crc32_nibbles[(crc ^ byte) & 15u];
    return crc >> 4 ^ crc32_nibbles[(crc ^ (uint32_t)byte >> 4) & 15u];
}

static inline uint32_t crc32_end(uint32_t crc)
{
    return ~crc;
}

#endif
