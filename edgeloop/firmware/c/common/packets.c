/* Cutting messages into packets and putting them together again; every wait inside a message has a limit. */
#include "packets.h"

#include <stddef.h>

#include "uart.h"

enum { PAYLOAD = 32, ASK = 0xaa, END = 0x80, QUIET_MS = 20, BYTE_MS = 100, PACKET_MS = 500, LENGTH_BYTES = 5 };

static struct {
    uint8_t payload[PAYLOAD];
    uint32_t used; /* bytes of the packet */
    uint32_t at;
    uint32_t left; /* bytes of the message that were not taken yet */
} in;

static struct {
    uint8_t payload[PAYLOAD];
    uint32_t used;
} out;

/* The line has been quiet for long enough: what comes next is something new, and no rest of something damaged. */
static bool is_quiet;

void packets_drain(void)
{
    in.left = 0;
    in.used = in.at = 0;
    if (is_quiet) {
        return;
    }
    while (uart_wait(QUIET_MS)) {
        (void)uart_take();
    }
    is_quiet = true;
}

/* One packet; false when it is none. `milliseconds` is how long its first byte may take, 0 for ever. */
static bool receive(uint32_t milliseconds)
{
    is_quiet = !uart_wait(milliseconds);
    if (is_quiet) {
        return false;
    }
    uint32_t header = uart_take();
    if (header == 0 || header > PAYLOAD) {
        packets_drain();
        return false;
    }
    for (uint32_t i = 0; i < PAYLOAD; i++) {
        is_quiet = !uart_wait(BYTE_MS);
        if (is_quiet) {
            return false;
        }
        in.payload[i] = uart_take();
    }
    in.used = header;
    in.at = 0;
    return true;
}

/* The varint at the beginning of a message; 0 when there is none. */
static uint32_t read_length(void)
{
    uint32_t length = 0;
    for (uint32_t i = 0; i < LENGTH_BYTES && in.at < in.used; i++) {
        uint8_t byte = in.payload[in.at++];
        length |= (uint32_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            return length;
        }
    }
    return 0;
}

uint32_t packets_open(void)
{
    for (;;) {
        in.left = 0;
        if (receive(0)) {
            in.left = read_length();
            if (in.left > 0) {
                return in.left;
            }
            packets_drain();
        }
    }
}

uint32_t packets_left(void)
{
    return in.left;
}

static bool fail(void)
{
    in.left = 0;
    return false;
}

bool packets_take(void *target, uint32_t bytes)
{
    uint8_t *to = target;
    if (bytes > in.left) {
        return fail();
    }
    while (bytes > 0) {
        if (in.at == in.used) {
            uart_send(ASK);
            if (!receive(PACKET_MS)) {
                return fail();
            }
        }
        for (; bytes > 0 && in.at < in.used; bytes--, in.left--) {
            uint8_t byte = in.payload[in.at++];
            if (to != NULL) {
                *to++ = byte;
            }
        }
    }
    return true;
}

static void flush(uint8_t header)
{
    uart_send(header);
    for (uint32_t i = 0; i < PAYLOAD; i++) {
        uart_send(i < out.used ? out.payload[i] : 0);
    }
    out.used = 0;
}

void packets_send(const void *source, uint32_t bytes)
{
    const uint8_t *from = source;
    while (bytes-- > 0) {
        out.payload[out.used++] = *from++;
        if (out.used == PAYLOAD) {
            flush(PAYLOAD);
        }
    }
}

void packets_end(void)
{
    flush((uint8_t)(END | out.used));
}
