/* Messages to the host, encoded backwards (protobuf, proto2): a field's length is then known when it is written, and no
 * size has to be computed beforehand.
 *
 *     encode_begin(bulk);                 bulk: bytes that follow behind the encoded ones, as the end of the last field
 *     uint32_t mark = encode_mark();      fields of a message inside, last one first
 *     encode_varint(2, size);
 *     encode_inside(15, mark);            ... which is field 15 of the message around it
 *     encode_send();                      and then the bulk with packets_send, and packets_end */
#ifndef ENCODE_H
#define ENCODE_H

#include <stdint.h>

void encode_begin(uint32_t bulk);
uint32_t encode_mark(void);
void encode_inside(uint32_t field, uint32_t mark);
void encode_varint(uint32_t field, uint64_t value);
void encode_signed(uint32_t field, int32_t value);
void encode_float(uint32_t field, float value);
void encode_text(uint32_t field, const char *text);

/* The header of a bytes field whose content is the bulk, or nothing. */
void encode_bulk(uint32_t field, uint32_t bytes);

void encode_send(void);

#endif
