/* Tiles of four columns and two output channels: where most of a network's instructions are executed. */
#include "edgeloop_tile.h"

#if EDGELOOP_DSP

enum { COLUMNS = EDGELOOP_COLUMNS };

typedef struct {
    int32_t first[COLUMNS];  /* output channel `channel` */
    int32_t second[COLUMNS]; /* the next one */
} sums;

uint32_t *edgeloop_prepare_pair(const edgeloop_convolution *layer, uint32_t channel, edgeloop_channel_pair *pair) {
    for (uint32_t i = 0; i < 2; i++) {
        const uint32_t o = channel + i < layer->output_channels ? channel + i : channel;
        const int32_t shift = layer->shift[o];
        pair->bias[i] = layer->bias[o];
        pair->multiplier[i] = layer->multiplier[o];
        pair->right[i] = -shift;
        pair->offset[i] = layer->rounding == EDGELOOP_ROUND_EXACT ? 0 : edgeloop_fast_offset(layer->output_zero_point, shift);
    }
    return (uint32_t *)(void *)(pair + 1);
}

EDGELOOP_INLINE void put_weights(uint32_t first, uint32_t second, uint32_t *words) {
    words[0] = edgeloop_sxtb16(first);
    words[1] = edgeloop_sxtb16(second);
    words[2] = edgeloop_sxtb16_high(first);
    words[3] = edgeloop_sxtb16_high(second);
}

void edgeloop_expand_weights(const edgeloop_convolution *layer, uint32_t inputs, uint32_t channel, uint32_t *words) {
    const int8_t *first = layer->weights + channel * inputs;
    const int8_t *second = channel + 1 < layer->output_channels ? first + inputs : first;
    for (; inputs >= 4; inputs -= 4, first += 4, second += 4, words += 4) {
        put_weights(edgeloop_load4(first), edgeloop_load4(second), words);
    }
    if (inputs) {
        put_weights(edgeloop_load_some((const uint8_t *)first, inputs), edgeloop_load_some((const uint8_t *)second, inputs), words);
    }
}

/* One word (two inputs) of four columns and two channels: 16 products in 11 instructions. */
#define STEP                                 \
    do {                                     \
        uint32_t w0, w1, v0, v1;             \
        EDGELOOP_LOAD_PAIR(w0, w1, weights); \
        EDGELOOP_LOAD_PAIR(v0, v1, group);   \
        edgeloop_smlad_to(v0, w0, &a0);      \
        edgeloop_smlad_to(v0, w1, &b0);      \
        edgeloop_smlad_to(v1, w0, &a1);      \
        edgeloop_smlad_to(v1, w1, &b1);      \
        EDGELOOP_LOAD_PAIR(v0, v1, group);   \
        edgeloop_smlad_to(v0, w0, &a2);      \
        edgeloop_smlad_to(v0, w1, &b2);      \
        edgeloop_smlad_to(v1, w0, &a3);      \
        edgeloop_smlad_to(v1, w1, &b3);      \
    } while (0)

/* All products of a group; `group` and `weights` step behind what was read. */
#define SUMS(end)                                          \
    int32_t a0 = pair->bias[0], a1 = a0, a2 = a0, a3 = a0; \
    int32_t b0 = pair->bias[1], b1 = b0, b2 = b0, b3 = b0; \
    if (filled & 4) {                                      \
        STEP;                                              \
        STEP;                                              \
    }                                                      \
    while (weights != (end)) {                             \
        STEP;                                              \
        STEP;                                              \
        STEP;                                              \
        STEP;                                              \
    }

/* Some of a group's sums, with any rounding. */
static void store_some(const edgeloop_convolution *layer, const sums *tile, uint32_t channel, uint32_t columns, int8_t *output) {
    const uint32_t channels = layer->output_channels;
    for (uint32_t column = 0; column < columns && column < COLUMNS; column++, output += channels) {
        for (uint32_t i = 0; i < 2 && channel + i < channels; i++) {
            output[i] = (int8_t)edgeloop_requantized(i ? tile->second[column] : tile->first[column], layer->multiplier[channel + i],
                                                     layer->shift[channel + i], layer->output_zero_point, layer->low, layer->high);
        }
    }
}

/* Any number of columns. */
static void multiply_exact(const edgeloop_convolution *layer, uint32_t filled, const uint32_t *group, const edgeloop_channel_pair *pair,
                           uint32_t channel, uint32_t columns, int8_t *output) {
    const uint32_t *const first_weights = (const uint32_t *)(const void *)(pair + 1);
    for (;; columns -= COLUMNS, output += COLUMNS * layer->output_channels) {
        const uint32_t *weights = first_weights;
        SUMS(first_weights + filled)
        const sums tile = {{a0, a1, a2, a3}, {b0, b1, b2, b3}};
        store_some(layer, &tile, channel, columns, output);
        if (columns <= COLUMNS) return;
    }
}

/* Whole groups of columns and two channels in fast rounding. */
EDGELOOP_INLINE void multiply_fast(uint32_t positive, uint32_t filled, const uint32_t *group, const edgeloop_channel_pair *pair,
                                   uint32_t groups, uint32_t channels, int8_t *output) {
    const uint32_t *const first_weights = (const uint32_t *)(const void *)(pair + 1);
    const uint32_t *const end = first_weights + filled;
    do {
        const uint32_t *weights = first_weights;
        SUMS(end)
#define ROUNDED(sum, i)                                                                          \
    (int8_t)edgeloop_saturated(positive ? edgeloop_fast_positive(sum, multiplier, offset, right) \
                                        : edgeloop_fast(sum, multiplier, offset, right))
        int32_t multiplier = pair->multiplier[0], offset = pair->offset[0], right = pair->right[0];
        int8_t *to = output;
        to[0] = ROUNDED(a0, 0);
        to += channels;
        to[0] = ROUNDED(a1, 0);
        to += channels;
        to[0] = ROUNDED(a2, 0);
        to += channels;
        to[0] = ROUNDED(a3, 0);
        multiplier = pair->multiplier[1], offset = pair->offset[1], right = pair->right[1];
        to[1] = ROUNDED(b3, 1);
        to -= channels;
        to[1] = ROUNDED(b2, 1);
        to -= channels;
        to[1] = ROUNDED(b1, 1);
        output[1] = ROUNDED(b0, 1);
        output += COLUMNS * channels;
    } while (--groups);
}

void edgeloop_multiply(const edgeloop_convolution *layer, uint32_t filled, const uint32_t *groups, const edgeloop_channel_pair *pair,
                       uint32_t channel, uint32_t columns, int8_t *output) {
    const uint32_t channels = layer->output_channels;
    const uint32_t whole = layer->rounding != EDGELOOP_ROUND_EXACT && channel + 1 < channels ? columns / COLUMNS : 0;
    if (whole) {
        if (layer->rounding == EDGELOOP_ROUND_POSITIVE) {
            multiply_fast(1, filled, groups, pair, whole, channels, output + channel);
        } else {
            multiply_fast(0, filled, groups, pair, whole, channels, output + channel);
        }
    }
    if (columns != COLUMNS * whole) {
        multiply_exact(layer, filled, groups + whole * edgeloop_group_words(filled), pair, channel, columns - COLUMNS * whole,
                       output + COLUMNS * whole * channels + channel);
    }
}

void edgeloop_multiply_all(const edgeloop_convolution *layer, uint32_t inputs, const uint32_t *groups, edgeloop_channel_pair *pair,
                           uint32_t columns, int8_t *output) {
    const uint32_t filled = edgeloop_filled(inputs);
    for (uint32_t channel = 0; channel < layer->output_channels; channel += 2) {
        edgeloop_expand_weights(layer, inputs, channel, edgeloop_prepare_pair(layer, channel, pair));
        const uint32_t *from = groups;
        const edgeloop_channel_pair *ready = pair;
        EDGELOOP_WRITTEN(ready);
        EDGELOOP_WRITTEN(from);
        edgeloop_multiply(layer, filled, from, ready, channel, columns, output);
    }
}

#endif
