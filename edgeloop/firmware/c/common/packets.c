/* Cutting messages into packets and putting them together again; every wait inside a message has a limit. */
#include "packets.h"

#include <stddef.h>

#include "crc32.h"
#include "part.h"
#include "uart.h"

enum { ASK = 0xaa, END = 0x80, QUIET_MS = 20, BYTE_MS = 100, PACKET_MS = 500, LENGTH_BYTES = 5 };
/* The header of a packet with a CRC: no small packet, and no synchronization byte, begins with this bit and without the one below. */
enum { CHECKED = 0x40, COUNT_ABOVE = 0x3f, CRC_BYTES = 4 };
/* How long the first packet after an agreement may take. The host has an adapter to set up in this time, and may be busy. */
enum { AGREED_MS = 500 };

/* Of one packet, that comes or that goes: the host's message is over when an answer to it begins. */
static uint8_t payload[PART_PACKET_BYTES];

static struct {
    uint32_t used; /* bytes of the packet */
    uint32_t at;
    uint32_t left; /* bytes of the message that were not taken yet */
} in;

static uint32_t out_used;

static struct {
    bool is_made;
    uint32_t rate;
    uint32_t bytes;    /* the most of a packet */
    uint32_t first_ms; /* how long the next message's first packet may take, 0 for ever */
    bool forgives;     /* adapters may give a byte that is none when their rate changes */
} agreement = {false, PART_BAUD, PACKETS_SMALL, 0, false};

/* The line has been quiet for long enough: what comes next is something new, and no rest of something damaged. */
static bool is_quiet;

void packets_agree(uint32_t rate, uint32_t bytes)
{
    uart_change(rate);
    agreement.is_made = true;
    agreement.rate = rate;
    agreement.bytes = bytes;
    agreement.first_ms = AGREED_MS;
    agreement.forgives = true;
}

void packets_withdraw(void)
{
    if (agreement.is_made) {
        uart_change(PART_BAUD);
        agreement.is_made = false;
        agreement.rate = PART_BAUD;
        agreement.bytes = PACKETS_SMALL;
        agreement.first_ms = 0;
    }
}

uint32_t packets_rate(void)
{
    return agreement.rate;
}

uint32_t packets_size(void)
{
    return agreement.bytes;
}

static void throw_away(void)
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

void packets_drain(void)
{
    throw_away();
    packets_withdraw();
}

/* One more byte of a packet. */
static bool take(uint8_t *byte)
{
    is_quiet = !uart_wait(BYTE_MS);
    if (is_quiet) {
        return false;
    }
    *byte = uart_take();
    return true;
}

static bool receive_small(uint8_t header)
{
    if (header == 0 || header > PACKETS_SMALL) {
        return false;
    }
    for (uint32_t i = 0; i < PACKETS_SMALL; i++) {
        if (!take(&payload[i])) {
            return false;
        }
    }
    in.used = header;
    return true;
}

static bool receive_checked(uint8_t header)
{
    uint8_t below;
    if ((header & (END | CHECKED)) != CHECKED || !take(&below)) {
        return false;
    }
    uint32_t count = (uint32_t)(header & COUNT_ABOVE) << 8 | below;
    if (count == 0 || count > agreement.bytes) {
        return false;
    }
    uint32_t crc = crc32_add(crc32_add(CRC32_START, header), below), told = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!take(&payload[i])) {
            return false;
        }
        crc = crc32_add(crc, payload[i]);
    }
    for (uint32_t i = 0; i < CRC_BYTES; i++) {
        uint8_t byte;
        if (!take(&byte)) {
            return false;
        }
        told = told << 8 | byte;
    }
    in.used = count;
    return told == crc32_end(crc);
}

/* One packet; false when it is none. `milliseconds` is how long its first byte may take, 0 for ever. */
static bool receive(uint32_t milliseconds)
{
    is_quiet = !uart_wait(milliseconds);
    if (is_quiet) {
        packets_drain();
        return false;
    }
    uint8_t header = uart_take();
    bool is_sound = agreement.is_made ? receive_checked(header) : receive_small(header);
    if (is_sound) {
        in.at = 0;
        agreement.first_ms = 0;
    } else if (agreement.forgives) {
        throw_away();
    } else {
        packets_drain();
    }
    agreement.forgives = false;
    return is_sound;
}

/* The varint at the beginning of a message; 0 when there is none. */
static uint32_t read_length(void)
{
    uint32_t length = 0;
    for (uint32_t i = 0; i < LENGTH_BYTES && in.at < in.used; i++) {
        uint8_t byte = payload[in.at++];
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
        if (receive(agreement.first_ms)) {
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
            uint8_t byte = payload[in.at++];
            if (to != NULL) {
                *to++ = byte;
            }
        }
    }
    return true;
}

static void send_small(bool is_last)
{
    uart_send((uint8_t)(is_last ? END | out_used : PACKETS_SMALL));
    for (uint32_t i = 0; i < PACKETS_SMALL; i++) {
        uart_send(i < out_used ? payload[i] : 0);
    }
}

static uint32_t send_byte(uint32_t crc, uint8_t byte)
{
    uart_send(byte);
    return crc32_add(crc, byte);
}

static void send_checked(bool is_last)
{
    uint32_t crc = send_byte(CRC32_START, (uint8_t)((is_last ? END : 0u) | CHECKED | out_used >> 8));
    crc = send_byte(crc, (uint8_t)out_used);
    for (uint32_t i = 0; i < out_used; i++) {
        crc = send_byte(crc, payload[i]);
    }
    crc = crc32_end(crc);
    for (uint32_t shift = 32; shift > 0; shift -= 8) {
        uart_send((uint8_t)(crc >> (shift - 8)));
    }
}

static void flush(bool is_last)
{
    if (agreement.is_made) {
        send_checked(is_last);
    } else {
        send_small(is_last);
    }
    out_used = 0;
}

void packets_send(const void *source, uint32_t bytes)
{
    const uint8_t *from = source;
    while (bytes-- > 0) {
        payload[out_used++] = *from++;
        if (out_used == agreement.bytes) {
            flush(false);
        }
    }
}

void packets_end(void)
{
    flush(true);
}
