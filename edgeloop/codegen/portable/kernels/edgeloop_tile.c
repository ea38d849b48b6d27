/* Tiles of four columns and two output channels: where most of a network's instructions are executed. */
#include "edgeloop_tile.h"

#if EDGELOOP_DSP

enum { COLUMNS = EDGELOOP_COLUMNS };

typedef struct {
    int32_t first[COLUMNS];  /* output channel `channel` */
    int32_t second[COLUMNS]; /* the next one */
} sums;

uint32_t *edgeloop_expand_weights(const edgeloop_convolution *layer, uint32_t inputs, uint32_t channel, uint32_t *words) {
    const int8_t *first = layer->weights + channel * inputs;
    const int8_t *second = channel + 1 < layer->output_channels ? first + inputs : first;
    uint32_t left = inputs;
    for (; left >= 4; left -= 4, first += 4, second += 4, words += 4) {
        const uint32_t a = edgeloop_load4(first);
        const uint32_t b = edgeloop_load4(second);
        words[0] = edgeloop_sxtb16(a);
        words[1] = edgeloop_sxtb16(b);
        words[2] = edgeloop_sxtb16_high(a);
        words[3] = edgeloop_sxtb16_high(b);
    }
    if (left) {
        const uint32_t a = edgeloop_load_some((const uint8_t *)first, left);
        const uint32_t b = edgeloop_load_some((const uint8_t *)second, left);
        words[0] = edgeloop_sxtb16(a);
        words[1] = edgeloop_sxtb16(b);
        words[2] = edgeloop_sxtb16_high(a);
        words[3] = edgeloop_sxtb16_high(b);
        words += 4;
    }
    return words;
}

/* One word (two inputs) of four columns and two channels: 16 products in 11 instructions. */
#define STEP                                          \
    do {                                              \
        uint32_t w0, w1, v0, v1;                      \
        EDGELOOP_LOAD_PAIR(w0, w1, weights);          \
        EDGELOOP_LOAD_PAIR(v0, v1, group);            \
        edgeloop_smlad_to(v0, w0, &a0);              \
        edgeloop_smlad_to(v0, w1, &b0);              \
        edgeloop_smlad_to(v1, w0, &a1);              \
        edgeloop_smlad_to(v1, w1, &b1);              \
        EDGELOOP_LOAD_PAIR(v0, v1, group);            \
        edgeloop_smlad_to(v0, w0, &a2);              \
        edgeloop_smlad_to(v0, w1, &b2);              \
        edgeloop_smlad_to(v1, w0, &a3);              \
        edgeloop_smlad_to(v1, w1, &b3);              \
    } while (0)

#define EACH_SUM(what)                                                            \
    do {                                                                          \
        what(a0, 0, 0); what(a1, 1, 0); what(a2, 2, 0); what(a3, 3, 0);           \
        what(b0, 0, 1); what(b1, 1, 1); what(b2, 2, 1); what(b3, 3, 1);           \
    } while (0)

typedef struct {
    int32_t bias[2];
    int32_t multiplier[2];
    int32_t offset[2];
    int32_t right[2];
} channel_pair;

static channel_pair pair_of(const edgeloop_convolution *layer, uint32_t channel) {
    channel_pair pair;
    for (uint32_t i = 0; i < 2; i++) {
        const uint32_t o = channel + i < layer->output_channels ? channel + i : channel;
        pair.bias[i] = layer->bias[o];
        pair.multiplier[i] = layer->multiplier[o];
        pair.right[i] = -layer->shift[o];
        pair.offset[i] = layer->rounding == EDGELOOP_ROUND_EXACT ? 0 : edgeloop_fast_offset(layer->output_zero_point, layer->shift[o]);
    }
    return pair;
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

void edgeloop_multiply(const edgeloop_convolution *layer, uint32_t filled, const uint32_t *groups, const uint32_t *weights,
                       uint32_t channel, uint32_t columns, int8_t *output) {
    const channel_pair pair = pair_of(layer, channel);
    const uint32_t channels = layer->output_channels;
    const uint32_t rounding = channel + 1 < channels ? layer->rounding : (uint32_t)EDGELOOP_ROUND_EXACT;
    const uint32_t *const first_weights = weights;
    const uint32_t *const end = weights + filled;
    const uint32_t *group = groups;
    output += channel;
    for (;;) {
        int32_t a0 = pair.bias[0], a1 = a0, a2 = a0, a3 = a0;
        int32_t b0 = pair.bias[1], b1 = b0, b2 = b0, b3 = b0;
        weights = first_weights;
        if (filled & 4) {
            STEP;
            STEP;
        }
        while (weights != end) {
            STEP;
            STEP;
            STEP;
            STEP;
        }
        if (columns < COLUMNS || rounding == EDGELOOP_ROUND_EXACT) {
            const sums tile = {{a0, a1, a2, a3}, {b0, b1, b2, b3}};
            store_some(layer, &tile, channel, columns, output);
        } else if (rounding == EDGELOOP_ROUND_POSITIVE) {
            int8_t *to = output;
#define STORE(sum, column, i) \
    to[(column) * channels + (i)] = (int8_t)edgeloop_saturated(edgeloop_fast_positive(sum, pair.multiplier[i], pair.offset[i], pair.right[i]))
            EACH_SUM(STORE);
#undef STORE
        } else {
            int8_t *to = output;
#define STORE(sum, column, i) \
    to[(column) * channels + (i)] = (int8_t)edgeloop_saturated(edgeloop_fast(sum, pair.multiplier[i], pair.offset[i], pair.right[i]))
            EACH_SUM(STORE);
#undef STORE
        }
        if (columns <= COLUMNS) break;
        columns -= COLUMNS;
        output += COLUMNS * channels;
    }
}

void edgeloop_multiply_all(const edgeloop_convolution *layer, uint32_t inputs, const uint32_t *groups, uint32_t *weights,
                           uint32_t columns, int8_t *output) {
    const uint32_t filled = edgeloop_filled(inputs);
    for (uint32_t channel = 0; channel < layer->output_channels; channel += 2) {
        const uint32_t *from = groups;
        const uint32_t *expanded = weights;
        edgeloop_expand_weights(layer, inputs, channel, weights);
        EDGELOOP_WRITTEN(expanded);
        EDGELOOP_WRITTEN(from);
        edgeloop_multiply(layer, filled, from, expanded, channel, columns, output);
    }
}

#endif
