/* edgeloop's own extension of the protocol: another rate, larger packets, and a CRC behind each (docs/firmware.md). */
#ifndef AGREE_H
#define AGREE_H

#include <stdbool.h>

#include "receive.h"

/* Does what AGREE asks for, at the rate and in the packets up to now, and then changes both; or refuses and stays. */
void agree(const message *request);

/* Takes and sends as many bytes as TRY asks for. False: the host has begun a new request instead, which `request` now holds. */
bool agree_try(message *request);

#endif
