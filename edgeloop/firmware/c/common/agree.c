/* A rate that the host asks for counts when the first packet at that rate has come (packets.c); TRY is how the host sees it. */
#include "agree.h"

#include <stddef.h>

#include "answers.h"
#include "packets.h"
#include "part.h"
#include "uart.h"

enum { MOST_TRIED = 4096 };

void agree(const message *request)
{
    uint32_t rate = request->value[REQUEST_PARAM], bytes = request->value[REQUEST_OPT];
    if (rate == 0) {
        answer_agreement(STATE_IDLE, PART_BAUD, PACKETS_SMALL, 0);
        packets_withdraw();
    } else if (bytes < PACKETS_SMALL || !uart_can(rate)) {
        answer_refusal();
    } else {
        bytes = bytes < PART_PACKET_BYTES ? bytes : PART_PACKET_BYTES;
        answer_agreement(STATE_IDLE, rate, bytes, 0);
        packets_agree(rate, bytes);
    }
}

/* Bytes of all kinds, the same for the same seed: xorshift32 (Marsaglia, Xorshift RNGs, 2003), its highest byte. */
static uint8_t noise(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return (uint8_t)(*state >> 24);
}

bool agree_try(message *request)
{
    uint32_t bytes = request->value[REQUEST_PARAM], state = request->value[REQUEST_OPT] | 1u;
    if (bytes > MOST_TRIED) {
        answer_refusal();
        return true;
    }
    answer_agreement(STATE_WAITING, packets_rate(), packets_size(), 0);
    message data;
    do {
        receive_message(&data, NULL);
    } while (data.kind == MESSAGE_ACKNOWLEDGEMENT);
    if (data.kind == MESSAGE_REQUEST) {
        *request = data;
        return false;
    }
    answer_agreement(STATE_DONE, packets_rate(), packets_size(), bytes);
    for (uint32_t i = 0; i < bytes; i++) {
        uint8_t byte = noise(&state);
        packets_send(&byte, 1);
    }
    if (bytes > 0) {
        packets_end();
    }
    return true;
}
