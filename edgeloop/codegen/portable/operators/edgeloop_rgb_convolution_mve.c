/* CONV_2D of 3x3 windows over three channels, with vectors: columns are collected in the scratch memory as the weights lie, in rows of
 * ten 16-bit values. A tile is three columns and two output channels. */
#include "edgeloop_mve.h"
#include "edgeloop_rgb_convolution.h"

#if EDGELOOP_MVE

enum { ROWS = 3, CHANNELS = 3, RUN = 3 * CHANNELS, LINE = RUN + 1, STRIDE = 2, STEP = 32, BLOCKS = 4, LANES = 8, TILE = 3, AT_ONCE = 9 };
/* Places in the scaling of a pair of channels: of each, both. */
enum { BIAS = 0, MULTIPLIER = 2, RIGHT = 6, SCALING = 8, MOST_CHANNELS = 32767 };

/* A pair of output channels. What has four lanes is for the first, the second, the first, the second. */
typedef struct {
    const edgeloop_rgb_convolution *layer;
    const int32_t *weights;
    const int32_t *scaling;
    int32x4_t multiplier;
    int32x4_t shift;
    uint16x8_t places;  /* of a tile's results */
    uint32_t channels;  /* one, or both */
} work;

/* Columns whose windows have no padding, `offset` bytes behind the rows' beginnings. */
#define COLLECT(name, element, load)                                                                           \
    EDGELOOP_APART void name(const void *const *rows, uint32_t offset, uint32_t count, int16_t *to) {          \
        const element *first = (const element *)rows[0] + offset, *second = (const element *)rows[1] + offset; \
        const element *third = (const element *)rows[2] + offset;                                              \
        for (; count; count--, to += STEP) {                                                                   \
            vst1q_s16(to, load(first));                                                                        \
            vst1q_s16(to + LINE, load(second));                                                                \
            vst1q_s16(to + 2 * LINE, load(third));                                                             \
            to[RUN - 1] = first[RUN - 1];                                                                      \
            to[LINE + RUN - 1] = second[RUN - 1];                                                              \
            to[2 * LINE + RUN - 1] = third[RUN - 1];                                                           \
            first += STRIDE * CHANNELS;                                                                        \
            second += STRIDE * CHANNELS;                                                                       \
            third += STRIDE * CHANNELS;                                                                        \
        }                                                                                                      \
    }
#define OF_PIXELS(from) vreinterpretq_s16_u16(vldrbq_u16(from))
COLLECT(collect_pixels, uint8_t, OF_PIXELS)
COLLECT(collect_int8, int8_t, vldrbq_s16)

/* A window that begins at an input column (which may be negative), with padding. */
static void collect_padded(const edgeloop_rgb_convolution *layer, const void *const *rows, int32_t first, int16_t *to) {
    for (uint32_t y = 0; y < ROWS; y++) {
        const uint8_t *row = rows[y];
        for (uint32_t i = 0; i < RUN; i++) {
            const uint32_t column = (uint32_t)first + i / CHANNELS;
            int32_t value = layer->input_zero_point;
            if (row != NULL && column < layer->input_width) {
                const uint8_t stored = row[column * CHANNELS + i % CHANNELS];
                value = layer->input_is_unsigned ? stored : (int8_t)stored;
            }
            to[LINE * y + i] = (int16_t)value;
        }
    }
}

/* Columns of the output from `column` on. What belongs to weights that are not there is any value. */
static void collect(const edgeloop_rgb_convolution *layer, const void *const *rows, uint32_t column, uint32_t count, int16_t *to) {
    const uint32_t is_complete = rows[0] != NULL && rows[1] != NULL && rows[2] != NULL;
    int32_t first = (int32_t)(column * STRIDE) - (int32_t)layer->left;
    for (uint32_t done; count; count -= done, first += (int32_t)(STRIDE * done), to += STEP * done) {
        const uint32_t end = (uint32_t)first + 3;
        if (!is_complete || first < 0 || end > layer->input_width) {
            done = 1;
            collect_padded(layer, rows, first, to);
            continue;
        }
        done = (layer->input_width - end) / STRIDE + 1;
        if (done > count) done = count;
        (layer->input_is_unsigned ? collect_pixels : collect_int8)(rows, (uint32_t)first * CHANNELS, done, to);
    }
}

EDGELOOP_INLINE int32x4_t lanes_of(int32_t a, int32_t b, int32_t c, int32_t d) {
    return vsetq_lane_s32(a, vsetq_lane_s32(b, vsetq_lane_s32(c, vdupq_n_s32(d), 2), 1), 0);
}

#define PRODUCTS(block)                                                                                     \
    do {                                                                                                    \
        const int32x4x2_t words = vld2q_s32(weights + LANES * (block));                                     \
        const int16x8_t w0 = vreinterpretq_s16_s32(words.val[0]), w1 = vreinterpretq_s16_s32(words.val[1]); \
        const int16_t *from = columns + LANES * (block);                                                    \
        const int16x8_t v0 = vld1q_s16(from), v1 = vld1q_s16(from + STEP), v2 = vld1q_s16(from + 2 * STEP); \
        a0 = vmladavaq_s16(a0, v0, w0);                                                                     \
        b0 = vmladavaq_s16(b0, v0, w1);                                                                     \
        a1 = vmladavaq_s16(a1, v1, w0);                                                                     \
        b1 = vmladavaq_s16(b1, v1, w1);                                                                     \
        a2 = vmladavaq_s16(a2, v2, w0);                                                                     \
        b2 = vmladavaq_s16(b2, v2, w1);                                                                     \
    } while (0)
/* The sums of a tile: of the first two columns, and of the third one twice. */
#define SUMS                                                                                \
    int32_t a0 = scaling[BIAS], a1 = a0, a2 = a0, b0 = scaling[BIAS + 1], b1 = b0, b2 = b0; \
    for (uint32_t block = 0; block < BLOCKS; block++) PRODUCTS(block);                      \
    int32x4_t early = lanes_of(a0, b0, a1, b1), late = lanes_of(a2, b2, a2, b2)

/* Whole tiles in fast rounding: sums are doubled, and all results go to memory at once, as lanes of 16 bits. */
EDGELOOP_INLINE void fast_tiles(const work *k, uint32_t is_positive, const int16_t *columns, uint32_t count, int8_t *output) {
    const int32_t *weights = k->weights, *scaling = k->scaling;
    const uint32_t channels = k->layer->output_channels;
    const int16_t zero_point = (int16_t)k->layer->output_zero_point;
    for (; count; count--, columns += TILE * STEP, output += TILE * channels) {
        SUMS;
        early = vqrdmulhq_s32(vshrq_n_s32(early, 1), k->multiplier);
        late = vqrdmulhq_s32(vshrq_n_s32(late, 1), k->multiplier);
        if (!is_positive) {
            early = edgeloop_mve_less(early);
            late = edgeloop_mve_less(late);
        }
        const int16x8_t halves = edgeloop_mve_in_turn(vrshlq_s32(early, k->shift), vrshlq_s32(late, k->shift));
        vstrbq_scatter_offset_s16(output, k->places, edgeloop_mve_saturated(vqaddq_n_s16(halves, zero_point)));
    }
}

EDGELOOP_APART void fast(const work *k, const int16_t *columns, uint32_t count, int8_t *output) {
    fast_tiles(k, 0, columns, count, output);
}

EDGELOOP_APART void positive(const work *k, const int16_t *columns, uint32_t count, int8_t *output) {
    fast_tiles(k, 1, columns, count, output);
}

EDGELOOP_INLINE int32x4_t any_scaled(const work *k, int32x4_t sums) {
    const edgeloop_rgb_convolution *layer = k->layer;
    const int32x4_t none = vdupq_n_s32(0);
    const int32x4_t own = vshlq_s32(sums, vdupq_n_s32(layer->rounding == EDGELOOP_ROUND_EXACT ? 0 : -1));
    const int32x4_t value = edgeloop_mve_scaled(own, k->multiplier, vmaxq_s32(k->shift, none), vminq_s32(k->shift, none));
    return vminq_s32(vmaxq_s32(vaddq_n_s32(value, layer->output_zero_point), vdupq_n_s32(layer->low)), vdupq_n_s32(layer->high));
}

/* Any rounding, one channel or two, any number of columns. */
EDGELOOP_APART void any(const work *k, const int16_t *columns, uint32_t count, int8_t *output) {
    const int32_t *weights = k->weights, *scaling = k->scaling;
    for (uint32_t done; count; count -= done, columns += TILE * STEP) {
        SUMS;
        int32_t values[2 * 4];
        vst1q_s32(values, any_scaled(k, early));
        vst1q_s32(values + 4, any_scaled(k, late));
        done = count < TILE ? count : TILE;
        for (uint32_t i = 0; i < done; i++, output += k->layer->output_channels) {
            output[0] = (int8_t)values[2 * i];
            if (k->channels == 2) output[1] = (int8_t)values[2 * i + 1];
        }
    }
}

/* Where results go whose early and late lanes are in turn: columns and channels. */
static uint16x8_t places_of(uint32_t channels) {
    static const uint16_t column[LANES] = {0, 2, 0, 2, 1, 2, 1, 2}, channel[LANES] = {0, 0, 1, 1, 0, 0, 1, 1};
    return vaddq_u16(vmulq_n_u16(vld1q_u16(column), (uint16_t)channels), vld1q_u16(channel));
}

void edgeloop_rgb_convolution_row(const edgeloop_rgb_convolution *layer, const void *const *rows, int8_t *output, void *scratch) {
    const uint32_t channels = layer->output_channels;
    const uint32_t takes_any = layer->rounding == EDGELOOP_ROUND_EXACT || channels > MOST_CHANNELS;
    work k;
    k.layer = layer;
    k.places = places_of(channels);
    for (uint32_t column = 0; column < layer->output_width; column += AT_ONCE) {
        const uint32_t left = layer->output_width - column, count = left < AT_ONCE ? left : AT_ONCE;
        collect(layer, rows, column, count, scratch);
        k.weights = layer->weights;
        k.scaling = layer->scaling;
        for (uint32_t channel = 0; channel < channels; channel += 2, k.weights += BLOCKS * LANES, k.scaling += SCALING) {
            const int32_t *scaling = k.scaling;
            int8_t *to = output + column * channels + channel;
            k.channels = channels - channel < 2 ? 1 : 2;
            k.multiplier = lanes_of(scaling[MULTIPLIER], scaling[MULTIPLIER + 1], scaling[MULTIPLIER], scaling[MULTIPLIER + 1]);
            k.shift = lanes_of(-scaling[RIGHT], -scaling[RIGHT + 1], -scaling[RIGHT], -scaling[RIGHT + 1]);
            const uint32_t tiles = takes_any || k.channels == 1 ? 0 : count / TILE;
            if (tiles) (layer->rounding == EDGELOOP_ROUND_POSITIVE ? positive : fast)(&k, scratch, tiles, to);
            any(&k, (const int16_t *)scratch + tiles * TILE * STEP, count - tiles * TILE, to + tiles * TILE * channels);
        }
    }
}

#endif
