/* Messages from the host, decoded (protobuf, proto2): requests, acknowledgements and tensors. */
#ifndef RECEIVE_H
#define RECEIVE_H

#include <stdbool.h>
#include <stdint.h>

enum { NAME_BYTES = 64 };

typedef enum { MESSAGE_UNKNOWN, MESSAGE_REQUEST, MESSAGE_ACKNOWLEDGEMENT, MESSAGE_DATA } message_kind;

/* What field 4 (the bytes of a tensor) is given to: it must take `bytes` with packets_take, and says whether it could. */
typedef bool (*bytes_taker)(uint32_t bytes);

/* The three kinds share their field numbers: 1 reqid, param or type; 2 cmd, error or size; 3 param or addr; 4 name or
 * tensor; 5 opt. */
typedef struct {
    message_kind kind;
    uint32_t value[6];        /* by field number; 4 is the length of name or tensor */
    char name[NAME_BYTES + 1]; /* of a request */
} message;

/* Waits for ever for the next message that can be decoded; damaged ones are thrown away. Field 4 goes to `take` where that
 * is not NULL and the field is longer than a name. */
void receive_message(message *received, bytes_taker take);

/* The same for one message: false when it is damaged. */
bool receive_one(message *received, bytes_taker take);

#endif
