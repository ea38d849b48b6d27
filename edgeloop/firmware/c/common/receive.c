/* A decoder for the three messages that a host sends; it is bounded in memory, and by the message's own length in time. */
#include "receive.h"

#include <stddef.h>

#include "packets.h"

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5, FIELDS = 5, NAME_FIELD = REQUEST_NAME, VARINT_BYTES = 10 };

static bool take_varint(uint32_t *value)
{
    uint64_t result = 0;
    for (uint32_t i = 0; i < VARINT_BYTES; i++) {
        uint8_t byte;
        if (!packets_take(&byte, 1)) {
            return false;
        }
        result |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *value = (uint32_t)result;
            return true;
        }
    }
    return false;
}

static bool take_name(message *received, uint32_t bytes)
{
    for (uint32_t i = 0; i <= NAME_BYTES; i++) {
        received->name[i] = 0;
    }
    return packets_take(received->name, bytes);
}

static bool take_bytes(message *received, uint32_t field, bytes_taker take)
{
    uint32_t bytes;
    if (!take_varint(&bytes) || bytes > packets_left()) {
        return false;
    }
    if (field != NAME_FIELD) {
        return packets_take(NULL, bytes);
    }
    received->value[NAME_FIELD] = bytes;
    if (bytes <= NAME_BYTES) {
        return take_name(received, bytes);
    }
    return take != NULL ? take(bytes) : packets_take(NULL, bytes);
}

static bool take_field(message *received, uint32_t tag, uint32_t *seen, bytes_taker take)
{
    uint32_t field = tag >> 3, value;
    if (field >= 1 && field <= FIELDS) {
        *seen |= 1u << field;
    }
    switch (tag & 7) {
    case VARINT:
        if (!take_varint(&value)) {
            return false;
        }
        if (field >= 1 && field <= FIELDS && field != NAME_FIELD) {
            received->value[field] = value;
        }
        return field != NAME_FIELD;
    case BYTES:
        return take_bytes(received, field, take);
    case FIXED64:
        return packets_take(NULL, 8);
    case FIXED32:
        return packets_take(NULL, 4);
    default:
        return false;
    }
}

static message_kind kind_of(uint32_t seen)
{
    switch (seen) {
    case 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5:
        return MESSAGE_REQUEST;
    case 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4:
        return MESSAGE_DATA;
    case 1u << 1 | 1u << 2:
        return MESSAGE_ACKNOWLEDGEMENT;
    default:
        return MESSAGE_UNKNOWN;
    }
}

bool receive_one(message *received, bytes_taker take)
{
    *received = (message){.kind = MESSAGE_UNKNOWN};
    uint32_t seen = 0;
    (void)packets_open();
    while (packets_left() > 0) {
        uint32_t tag;
        if (!take_varint(&tag) || !take_field(received, tag, &seen, take)) {
            packets_drain();
            return false;
        }
    }
    received->kind = kind_of(seen);
    return received->kind != MESSAGE_UNKNOWN;
}

void receive_message(message *received, bytes_taker take)
{
    while (!receive_one(received, take)) {
    }
}
