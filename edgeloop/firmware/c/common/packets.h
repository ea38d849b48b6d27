/* Messages in packets of 33 bytes: a header and 32 bytes of payload, both ways (serial validation protocol 3.1).
 *
 * From the host a message begins with its own length; after each packet that does not complete it the device sends one
 * synchronization byte to ask for the next. To the host the header of the last packet carries an end flag.
 *
 * Where edgeloop's extension was agreed on, packets are larger, no longer than what is in them, and end with a CRC; the first
 * one that is damaged takes the device back to what it has started with. */
#ifndef PACKETS_H
#define PACKETS_H

#include <stdbool.h>
#include <stdint.h>

enum { PACKETS_SMALL = 32 };

/* Waits for ever for the first packet of a message; garbage before it is thrown away. Gives the message's length in bytes. */
uint32_t packets_open(void);

/* Takes `bytes` of the message that is open, or throws them away where `target` is NULL. False, for good, when the message
 * is shorter or the host has stopped sending: then it is over. */
bool packets_take(void *target, uint32_t bytes);

/* How many bytes of the message are left. */
uint32_t packets_left(void);

/* Throws away what arrives until the line is quiet, and the message that is open; and what was agreed on. */
void packets_drain(void);

/* Sends a part of a message; `packets_end` sends the rest of it. No message from the host may be open. */
void packets_send(const void *source, uint32_t bytes);
void packets_end(void);

/* From now on, packets of up to `bytes` with a CRC, at `rate`; unless none comes soon. What was sent goes out before. */
void packets_agree(uint32_t rate, uint32_t bytes);

/* Back to packets of 33 bytes at PART_BAUD. */
void packets_withdraw(void);

/* As it is now. */
uint32_t packets_rate(void);
uint32_t packets_size(void);

#endif
