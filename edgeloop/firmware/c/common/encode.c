/* The encoder's buffer holds the largest message without its bulk: a model's information, with the names of its tensors. */
#include "encode.h"

#include "packets.h"

enum { VARINT = 0, BYTES = 2, FIXED32 = 5, CAPACITY = 1024, VARINT_BYTES = 10 };

static struct {
    uint8_t bytes[CAPACITY];
    uint32_t at;   /* the first byte that is used */
    uint32_t bulk; /* bytes that follow */
} buffer;

/* A full buffer keeps what lies at the end. It cannot be: all that is ever encoded is bounded (names are cut). */
static void put(uint8_t byte)
{
    if (buffer.at > 0) {
        buffer.bytes[--buffer.at] = byte;
    }
}

static void put_varint(uint64_t value)
{
    uint8_t digits[VARINT_BYTES];
    uint32_t count = 0;
    do {
        digits[count] = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        value >>= 7;
        count++;
    } while (value > 0);
    while (count > 0) {
        put(digits[--count]);
    }
}

void encode_begin(uint32_t bulk)
{
    buffer.at = CAPACITY;
    buffer.bulk = bulk;
}

uint32_t encode_mark(void)
{
    return CAPACITY - buffer.at;
}

static void put_length(uint32_t field, uint32_t bytes)
{
    put_varint(bytes);
    put_varint(field << 3 | BYTES);
}

void encode_inside(uint32_t field, uint32_t mark)
{
    /* What is marked at the very beginning holds the bulk. */
    put_length(field, encode_mark() - mark + (mark == 0 ? buffer.bulk : 0));
}

void encode_varint(uint32_t field, uint64_t value)
{
    put_varint(value);
    put_varint(field << 3 | VARINT);
}

void encode_signed(uint32_t field, int32_t value)
{
    encode_varint(field, (uint64_t)(int64_t)value);
}

void encode_float(uint32_t field, float value)
{
    union {
        float real;
        uint32_t bits;
    } word = {.real = value};
    for (uint32_t shift = 32; shift > 0; shift -= 8) {
        put((uint8_t)(word.bits >> (shift - 8)));
    }
    put_varint(field << 3 | FIXED32);
}

void encode_text(uint32_t field, const char *text)
{
    uint32_t bytes = 0;
    while (text[bytes] != 0 && bytes < 64) {
        bytes++;
    }
    for (uint32_t i = bytes; i > 0; i--) {
        put((uint8_t)text[i - 1]);
    }
    put_length(field, bytes);
}

void encode_bulk(uint32_t field, uint32_t bytes)
{
    put_length(field, bytes);
}

void encode_send(void)
{
    packets_send(buffer.bytes + buffer.at, CAPACITY - buffer.at);
}
