/* Messages from the host, decoded (protobuf, proto2): requests, acknowledgements and tensors. */
#ifndef RECEIVE_H
#define RECEIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol.h"

enum { NAME_BYTES = 64 };

typedef enum { MESSAGE_UNKNOWN, MESSAGE_REQUEST, MESSAGE_ACKNOWLEDGEMENT, MESSAGE_DATA } message_kind;

/* What field 4 (the bytes of a tensor) is given to: it must take `bytes` with packets_take, and says whether it could. */
typedef bool (*bytes_taker)(uint32_t bytes);

/* `value` is indexed by field number (REQUEST_CMD, DATA_SIZE, ...); of names and bytes it holds the length. */
typedef struct {
    message_kind kind;
    uint32_t value[6];
    char name[NAME_BYTES + 1]; /* of a request */
} message;

/* Waits for ever for the next message that can be decoded; damaged ones are thrown away. Field 4 goes to `take` where that
 * is not NULL and the field is longer than a name. */
void receive_message(message *received, bytes_taker take);

/* The same for one message: false when it is damaged. */
bool receive_one(message *received, bytes_taker take);

#endif
