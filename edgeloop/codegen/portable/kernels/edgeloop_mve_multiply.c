/* Tiles of three columns and two output channels: six sums, three pointers, one for the weights, and the loop's counter are what the
 * general registers hold, of which VMLADAVA takes even ones. */
#include "edgeloop_mve_multiply.h"

#if EDGELOOP_MVE

enum { BLOCK = 16, COLUMNS = 3, MOST_CHANNELS = 32767 };

/* A pair of output channels. What has four lanes is for the first, the second, the first, the second. */
typedef struct {
    const int32_t *weights; /* words of four inputs, those of both channels in turn */
    uint32_t blocks;        /* of 16 inputs, */
    uint32_t rest;          /* and what is left of them, */
    mve_pred16_t there;     /* which of a column's last values are read, */
    int8x16_t last[2];      /* and their weights */
    uint32_t step;
    uint32_t channels;      /* in a column of the output */
    uint32_t both;          /* whether the second channel is there */
    int32_t bias[2];
    int32x4_t multiplier;
    int32x4_t left;
    int32x4_t right;        /* minus the shift to the right */
    int32_t zero_point;
    int32_t low;
    int32_t high;
} work;

/* Zero where there are no inputs. */
typedef struct {
    int8x16_t first;
    int8x16_t second;
} weight_pair;

EDGELOOP_INLINE weight_pair last_weights(const int32_t *weights, uint32_t rest) {
    const uint32x4_t offsets = vmulq_n_u32(vidupq_n_u32(0, 1), 8);
    const mve_pred16_t there = vctp32q((rest + 3) / 4);
    const weight_pair pair = {vreinterpretq_s8_s32(vldrwq_gather_offset_z_s32(weights, offsets, there)),
                              vreinterpretq_s8_s32(vldrwq_gather_offset_z_s32(weights + 1, offsets, there))};
    return pair;
}

EDGELOOP_INLINE weight_pair next_weights(const int32_t *weights) {
    const int32x4x2_t words = vld2q_s32(weights);
    const weight_pair pair = {vreinterpretq_s8_s32(words.val[0]), vreinterpretq_s8_s32(words.val[1])};
    return pair;
}

/* The sums of both channels. */
typedef struct {
    int32_t first[COLUMNS];
    int32_t second[COLUMNS];
} sums;

#define ADD(load)                                \
    do {                                         \
        const int8x16_t v0 = load(p0);           \
        a0 = vmladavaq_s8(a0, v0, w.first);      \
        b0 = vmladavaq_s8(b0, v0, w.second);     \
        if (columns > 1) {                       \
            const int8x16_t v1 = load(p1);       \
            a1 = vmladavaq_s8(a1, v1, w.first);  \
            b1 = vmladavaq_s8(b1, v1, w.second); \
        }                                        \
        if (columns > 2) {                       \
            const int8x16_t v2 = load(p2);       \
            a2 = vmladavaq_s8(a2, v2, w.first);  \
            b2 = vmladavaq_s8(b2, v2, w.second); \
        }                                        \
    } while (0)
#define WHOLE(from) vldrbq_s8(from)
#define SOME(from) vldrbq_z_s8(from, there)

/* `columns` is a constant where this is called. */
EDGELOOP_INLINE sums multiplied(const work *k, const int8_t *from, uint32_t columns) {
    const int8_t *p0 = from, *p1 = from + k->step, *p2 = p1 + k->step;
    const int32_t *weights = k->weights;
    int32_t a0 = k->bias[0], b0 = k->bias[1], a1 = a0, a2 = a0, b1 = b0, b2 = b0;
    for (uint32_t blocks = k->blocks; blocks; blocks--) {
        const weight_pair w = next_weights(weights);
        ADD(WHOLE);
        weights += 2 * BLOCK / 4;
        p0 += BLOCK;
        p1 += BLOCK;
        p2 += BLOCK;
    }
    if (k->rest) {
        const mve_pred16_t there = k->there;
        const weight_pair w = {k->last[0], k->last[1]};
        p0 = from + BLOCK * k->blocks, p1 = p0 + k->step, p2 = p1 + k->step;
        ADD(SOME);
    }
    const sums result = {{a0, a1, a2}, {b0, b1, b2}};
    return result;
}

EDGELOOP_INLINE int32x4_t lanes_of(int32_t a, int32_t b, int32_t c, int32_t d) {
    return vsetq_lane_s32(a, vsetq_lane_s32(b, vsetq_lane_s32(c, vdupq_n_s32(d), 2), 1), 0);
}

/* Sums of the first two columns, then those of the third one twice; a tile that has fewer has its last one's there. */
EDGELOOP_INLINE int32x4_t early_lanes(const sums *s, uint32_t columns) {
    const uint32_t second = columns > 1;
    return lanes_of(s->first[0], s->second[0], s->first[second], s->second[second]);
}

EDGELOOP_INLINE int32x4_t late_lanes(const sums *s, uint32_t columns) {
    const uint32_t last = columns - 1;
    return vsetq_lane_s32(s->first[last], vsetq_lane_s32(s->first[last], vdupq_n_s32(s->second[last]), 2), 0);
}

/* Where results go whose early and late lanes are in turn: columns and channels. */
EDGELOOP_INLINE uint16x8_t places_of(uint32_t channels, uint32_t columns) {
    static const uint16_t column[COLUMNS][8] = {{0, 0, 0, 0, 0, 0, 0, 0}, {0, 1, 0, 1, 1, 1, 1, 1}, {0, 2, 0, 2, 1, 2, 1, 2}};
    static const uint16_t channel[8] = {0, 0, 1, 1, 0, 0, 1, 1};
    return vaddq_u16(vmulq_n_u16(vld1q_u16(column[columns - 1]), (uint16_t)channels), vld1q_u16(channel));
}

/* All results go to memory at once, as lanes of 16 bits; some of them twice. */
EDGELOOP_INLINE void fast_tile(const work *k, uint32_t is_positive, const int8_t *from, uint32_t columns, uint16x8_t places,
                               int8_t *output) {
    const sums sum = multiplied(k, from, columns);
    const int32x4_t multiplier = k->multiplier, right = k->right;
    int32x4_t early = early_lanes(&sum, columns), late = late_lanes(&sum, columns);
    early = vqrdmulhq_s32(early, multiplier);
    late = vqrdmulhq_s32(late, multiplier);
    if (!is_positive) {
        early = edgeloop_mve_less(early);
        late = edgeloop_mve_less(late);
    }
    const int16x8_t halves = vqaddq_n_s16(edgeloop_mve_in_turn(vrshlq_s32(early, right), vrshlq_s32(late, right)), (int16_t)k->zero_point);
    vstrbq_scatter_offset_s16(output, places, edgeloop_mve_saturated(halves));
}

EDGELOOP_INLINE int32x4_t any_scaled(const work *k, int32x4_t lanes) {
    const int32x4_t moved = vaddq_n_s32(edgeloop_mve_scaled(lanes, k->multiplier, k->left, k->right), k->zero_point);
    return vminq_s32(vmaxq_s32(moved, vdupq_n_s32(k->low)), vdupq_n_s32(k->high));
}

/* Any rounding, one channel or two, any distance of columns. */
EDGELOOP_INLINE void any_tile(const work *k, const int8_t *from, uint32_t columns, int8_t *output) {
    const sums sum = multiplied(k, from, columns);
    int32_t values[8];
    vst1q_s32(values, any_scaled(k, early_lanes(&sum, columns)));
    vst1q_s32(values + 4, any_scaled(k, late_lanes(&sum, columns)));
    for (uint32_t i = 0; i < columns; i++, output += k->channels) {
        output[0] = (int8_t)values[2 * i];
        if (k->both) output[1] = (int8_t)values[2 * i + 1];
    }
}

EDGELOOP_INLINE void tile(const work *k, uint32_t rounding, const int8_t *from, uint32_t columns, uint16x8_t places, int8_t *output) {
    if (rounding == EDGELOOP_ROUND_EXACT) {
        any_tile(k, from, columns, output);
    } else {
        fast_tile(k, rounding == EDGELOOP_ROUND_POSITIVE, from, columns, places, output);
    }
}

EDGELOOP_INLINE void all_columns(const work *k, uint32_t rounding, const int8_t *from, uint32_t count, int8_t *output) {
    const uint16x8_t places = places_of(k->channels, COLUMNS);
    for (; count >= COLUMNS; count -= COLUMNS, from += COLUMNS * k->step, output += COLUMNS * k->channels) {
        tile(k, rounding, from, COLUMNS, places, output);
    }
    if (count == 2) tile(k, rounding, from, 2, places_of(k->channels, 2), output);
    if (count == 1) tile(k, rounding, from, 1, places_of(k->channels, 1), output);
}

typedef void columns_kernel(const work *k, const int8_t *from, uint32_t count, int8_t *output);

EDGELOOP_APART void positive(const work *k, const int8_t *from, uint32_t count, int8_t *output) {
    all_columns(k, EDGELOOP_ROUND_POSITIVE, from, count, output);
}

EDGELOOP_APART void fast(const work *k, const int8_t *from, uint32_t count, int8_t *output) {
    all_columns(k, EDGELOOP_ROUND_FAST, from, count, output);
}

EDGELOOP_APART void any(const work *k, const int8_t *from, uint32_t count, int8_t *output) {
    all_columns(k, EDGELOOP_ROUND_EXACT, from, count, output);
}

/* The channel and the next one; where there is none, the channel in its place. */
static void prepare(work *k, const edgeloop_convolution *layer, uint32_t channel) {
    const uint32_t next = k->both ? channel + 1 : channel;
    const weight_pair last = last_weights(k->weights + 2 * BLOCK / 4 * k->blocks, k->rest);
    const int32_t shift = layer->shift[channel], next_shift = layer->shift[next];
    const int32x4_t none = vdupq_n_s32(0), shifts = lanes_of(shift, next_shift, shift, next_shift);
    k->last[0] = last.first;
    k->last[1] = last.second;
    k->bias[0] = layer->bias[channel];
    k->bias[1] = layer->bias[next];
    k->multiplier = lanes_of(layer->multiplier[channel], layer->multiplier[next], layer->multiplier[channel], layer->multiplier[next]);
    k->left = vmaxq_s32(shifts, none);
    k->right = vminq_s32(shifts, none);
}

/* Values of an unsigned input are less by 128 than what is stored, and the bias holds the zero point of that: so much of each weight is
 * added to it. */
static void add_unsigned(work *k) {
    const int32_t *weights = k->weights;
    int32_t first = 0, second = 0;
    for (uint32_t blocks = k->blocks; blocks; blocks--, weights += 2 * BLOCK / 4) {
        const weight_pair w = next_weights(weights);
        first = vaddvaq_s8(first, w.first);
        second = vaddvaq_s8(second, w.second);
    }
    first = vaddvaq_s8(first, k->last[0]);
    second = vaddvaq_s8(second, k->last[1]);
    k->bias[0] = edgeloop_wrapping_add(k->bias[0], first * 128);
    k->bias[1] = edgeloop_wrapping_add(k->bias[1], second * 128);
}

void edgeloop_mve_multiply(const edgeloop_convolution *layer, const int8_t *columns, uint32_t step, uint32_t inputs, uint32_t count,
                           uint32_t padded, int8_t *output) {
    const uint32_t channels = layer->output_channels;
    columns_kernel *const fitting = layer->rounding == EDGELOOP_ROUND_POSITIVE ? positive : fast;
    const uint32_t takes_any = layer->rounding == EDGELOOP_ROUND_EXACT || channels > MOST_CHANNELS;
    work k;
    k.weights = layer->weights;
    k.blocks = inputs / BLOCK;
    k.rest = inputs % BLOCK;
    k.there = vctp8q(padded ? BLOCK : k.rest);
    k.step = step;
    k.channels = channels;
    k.zero_point = layer->output_zero_point;
    k.low = layer->low;
    k.high = layer->high;
    for (uint32_t channel = 0; channel < channels; channel += 2) {
        k.both = channel + 1 < channels;
        prepare(&k, layer, channel);
        if (layer->input_is_unsigned) add_unsigned(&k);
        (takes_any || !k.both ? any : fitting)(&k, columns, count, output + channel);
        k.weights += (inputs + 3) / 4 * 2;
    }
}

#endif
