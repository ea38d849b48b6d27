/* CONV_2D of 3x3 windows over three channels, moved by two columns. */
#include "edgeloop_rgb_convolution.h"

#include "edgeloop_dsp.h"
#include "edgeloop_mve.h"

#if !EDGELOOP_MVE

enum { ROWS = 3, CHANNELS = 3, RUN = 3 * CHANNELS, PAIRS = (RUN + 1) / 2, STRIDE = 2, PAIR_WORDS = 2 * (ROWS * PAIRS + 1) };

/* Places in the scaling of a pair of channels, of the first one. */
enum { BIAS = 0, MULTIPLIER = 2, OFFSET = 4, RIGHT = 6, SCALING = 8 };

/* What a sum of one channel yields, in any rounding; in fast rounding it is the double. */
EDGELOOP_INLINE int32_t value_of(const edgeloop_rgb_convolution *layer, int32_t sum, const int32_t *scaling) {
    const int32_t own = layer->rounding == EDGELOOP_ROUND_EXACT ? sum : sum / 2;
    return edgeloop_requantized(own, scaling[MULTIPLIER], -scaling[RIGHT], layer->output_zero_point, layer->low, layer->high);
}

#if EDGELOOP_DSP

/* A window moves by six values, three words of two. So of a row of pixels as 16-bit values, every third word belongs to the
 * same place of neighbouring windows: they lie in three *planes*, from which words of four columns are loaded as they lie.
 * The words 0 1 2 3 4 of a column are plane 0 1 2 at its own place, and plane 0 1 at the next. */
enum { COLUMNS = 16, PLANE = COLUMNS + 1, PLANES = 3, ROW_WORDS = PLANES * PLANE };

/* What two output channels are multiplied with, and how. */
typedef struct {
    const edgeloop_rgb_convolution *layer;
    const int32_t *weights;
    const int32_t *scaling; /* BIAS ... */
    uint32_t channels;    /* in a column of the output */
    uint32_t stored;      /* one channel, or both */
    uint32_t is_plain;    /* whether both are, in fast rounding, */
    uint32_t is_positive; /* and in that for positive values */
} work;

/* The sums of four columns and two channels. */
typedef struct {
    int32_t first[4];
    int32_t second[4];
} sums;

/* Products of one word (two values) of four columns and two channels, 16 in 11 instructions. The first ones START from the bias. */
#define WORD(TO, place)                                     \
    do {                                                    \
        EDGELOOP_LOAD_PAIR(w0, w1, weights);                \
        EDGELOOP_LOAD_PAIR_AT(v0, v1, planes, place);       \
        TO(v0, w0, a0, 0);                                  \
        TO(v0, w1, b0, 1);                                  \
        TO(v1, w0, a1, 0);                                  \
        TO(v1, w1, b1, 1);                                  \
        EDGELOOP_LOAD_PAIR_AT(v0, v1, planes, (place) + 2); \
        TO(v0, w0, a2, 0);                                  \
        TO(v0, w1, b2, 1);                                  \
        TO(v1, w0, a3, 0);                                  \
        TO(v1, w1, b3, 1);                                  \
    } while (0)
#define ADD(v, w, sum, i) edgeloop_smlad_to(v, w, &sum)
#define START(v, w, sum, i) sum = edgeloop_smlad_from(v, w, bias##i)
#define ROW(TO, y)                              \
    do {                                        \
        WORD(TO, (y) * ROW_WORDS);              \
        WORD(ADD, (y) * ROW_WORDS + PLANE);     \
        WORD(ADD, (y) * ROW_WORDS + 2 * PLANE); \
        WORD(ADD, (y) * ROW_WORDS + 1);         \
        WORD(ADD, (y) * ROW_WORDS + PLANE + 1); \
    } while (0)

/* What a tile yields in fast rounding, down the columns and up again. */
#define USE_SCALING(i) multiplier = w->scaling[MULTIPLIER + i], offset = w->scaling[OFFSET + i], right = w->scaling[RIGHT + i]
#define STORE(ROUNDED, i, sum) output[i] = (int8_t)edgeloop_saturated(ROUNDED(sum, multiplier, offset, right))
#define STORE_ALL(ROUNDED)     \
    do {                       \
        USE_SCALING(0);        \
        STORE(ROUNDED, 0, a0); \
        output += channels;    \
        STORE(ROUNDED, 0, a1); \
        output += channels;    \
        STORE(ROUNDED, 0, a2); \
        output += channels;    \
        STORE(ROUNDED, 0, a3); \
        USE_SCALING(1);        \
        STORE(ROUNDED, 1, b3); \
        output -= channels;    \
        STORE(ROUNDED, 1, b2); \
        output -= channels;    \
        STORE(ROUNDED, 1, b1); \
        output -= channels;    \
        STORE(ROUNDED, 1, b0); \
    } while (0)

/* Some columns and channels of a tile, in any rounding. */
static void store_some(const work *w, const sums *tile, uint32_t columns, int8_t *output) {
    const edgeloop_rgb_convolution *layer = w->layer;
    for (uint32_t i = 0; i < w->stored; i++) {
        const int32_t *from = i ? tile->second : tile->first;
        for (uint32_t column = 0; column < columns; column++) {
            output[column * w->channels + i] = (int8_t)value_of(layer, from[column], w->scaling + i);
        }
    }
}

/* Two channels of so many whole tiles, in fast rounding. */
#define FAST_TILES(name, ROUNDED)                                                                     \
    EDGELOOP_APART void name(const work *w, const uint32_t *planes, uint32_t tiles, int8_t *output) { \
        for (; tiles; tiles--, planes += 4) {                                                         \
            const int32_t bias0 = w->scaling[BIAS], bias1 = w->scaling[BIAS + 1];                     \
            const uint32_t *weights = (const uint32_t *)(const void *)w->weights;                     \
            int32_t a0, a1, a2, a3, b0, b1, b2, b3, multiplier, offset, right;                        \
            uint32_t v0, v1, w0, w1;                                                                  \
            ROW(START, 0);                                                                            \
            ROW(ADD, 1);                                                                              \
            ROW(ADD, 2);                                                                              \
            const uint32_t channels = w->channels;                                                    \
            STORE_ALL(ROUNDED);                                                                       \
            output += 4 * channels;                                                                   \
        }                                                                                             \
    }
FAST_TILES(fast_tiles, edgeloop_fast_of_double)
FAST_TILES(positive_tiles, edgeloop_fast_positive_of_double)

typedef void tiles_kernel(const work *w, const uint32_t *planes, uint32_t tiles, int8_t *output);

/* Any rounding, one channel or two, any number of columns. */
EDGELOOP_APART void any_tiles(const work *w, const uint32_t *planes, uint32_t columns, int8_t *output) {
    for (uint32_t done; columns; columns -= done, planes += 4 - ROWS * ROW_WORDS, output += 4 * w->channels) {
        const uint32_t *weights = (const uint32_t *)(const void *)w->weights;
        int32_t a0 = w->scaling[BIAS], a1 = a0, a2 = a0, a3 = a0, b0 = w->scaling[BIAS + 1], b1 = b0, b2 = b0, b3 = b0;
        uint32_t v0, v1, w0, w1;
        for (uint32_t y = 0; y < ROWS; y++, planes += ROW_WORDS) ROW(ADD, 0);
        const sums tile = {{a0, a1, a2, a3}, {b0, b1, b2, b3}};
        done = columns < 4 ? columns : 4;
        store_some(w, &tile, done, output);
    }
}

static void multiply(const work *w, const uint32_t *planes, uint32_t columns, int8_t *output) {
    if (!w->is_plain) {
        any_tiles(w, planes, columns, output);
        return;
    }
    tiles_kernel *const kernel = w->is_positive ? positive_tiles : fast_tiles;
    const uint32_t whole = columns & ~3u;
    if (whole) kernel(w, planes, columns / 4, output);
    if (whole == columns) return;
    /* A last tile whose columns are not all there is computed elsewhere. */
    int8_t last[4][2];
    work elsewhere = *w;
    elsewhere.channels = 2;
    kernel(&elsewhere, planes + whole, 1, last[0]);
    for (uint32_t column = whole; column < columns; column++) {
        output[column * w->channels] = last[column - whole][0];
        output[column * w->channels + 1] = last[column - whole][1];
    }
}

/* Four stored values as two words of two. */
#define SPLIT(first, second, four)                                                                  \
    do {                                                                                            \
        const uint32_t word = four;                                                                 \
        const uint32_t even = is_unsigned ? edgeloop_uxtb16(word) : edgeloop_sxtb16(word);          \
        const uint32_t odd = is_unsigned ? edgeloop_uxtb16_high(word) : edgeloop_sxtb16_high(word); \
        first = edgeloop_pack_low(even, odd);                                                       \
        second = edgeloop_pack_high(even, odd);                                                     \
    } while (0)

/* Pixels of two columns at a time, twelve values, into the planes. */
EDGELOOP_INLINE void expand(uint32_t is_unsigned, const uint8_t *from, uint32_t count, uint32_t *planes) {
    for (const uint8_t *end = from + 2 * STRIDE * CHANNELS * count; from != end; from += 2 * STRIDE * CHANNELS, planes += 2) {
        uint32_t a, b, c, d, e, f;
        SPLIT(a, b, edgeloop_load4(from));
        SPLIT(c, d, edgeloop_load4(from + 4));
        SPLIT(e, f, edgeloop_load4(from + 8));
        planes[0] = a;
        planes[1] = d;
        planes[PLANE] = b;
        planes[PLANE + 1] = e;
        planes[2 * PLANE] = c;
        planes[2 * PLANE + 1] = f;
    }
}

EDGELOOP_APART void expand_int8(const uint8_t *from, uint32_t count, uint32_t *planes) { expand(0, from, count, planes); }

EDGELOOP_APART void expand_uint8(const uint8_t *from, uint32_t count, uint32_t *planes) { expand(1, from, count, planes); }

EDGELOOP_INLINE void expand_pixels(const edgeloop_rgb_convolution *layer, const uint8_t *from, uint32_t count, uint32_t *planes) {
    if (layer->input_is_unsigned) {
        expand_uint8(from, count, planes);
    } else {
        expand_int8(from, count, planes);
    }
}

/* A stored pixel of a row, or padding. */
EDGELOOP_INLINE const uint8_t *pixel_at(const edgeloop_rgb_convolution *layer, const uint8_t *row, uint32_t column,
                                        const uint8_t *padding) {
    return row != NULL && column < layer->input_width ? row + column * CHANNELS : padding;
}

/* The pixels under a row of the windows of so many columns (an even number), of which the first begins at `first`. */
static void expand_row(const edgeloop_rgb_convolution *layer, const uint8_t *row, int32_t first, uint32_t columns, uint32_t *planes) {
    const uint8_t fill = (uint8_t)layer->input_zero_point, padding[CHANNELS] = {fill, fill, fill};
    const uint32_t is_unsigned = layer->input_is_unsigned;
    for (uint32_t pairs = columns / 2, done; pairs; pairs -= done, first += (int32_t)(2 * STRIDE * done), planes += 2 * done) {
        if (row != NULL && first >= 0 && (uint32_t)first + 2 * STRIDE <= layer->input_width) {
            done = (layer->input_width - (uint32_t)first) / (2 * STRIDE);
            if (done > pairs) done = pairs;
            expand_pixels(layer, row + (uint32_t)first * CHANNELS, done, planes);
        } else {
            uint8_t few[2 * STRIDE][CHANNELS];
            for (uint32_t i = 0; i < 2 * STRIDE; i++) {
                const uint8_t *from = pixel_at(layer, row, (uint32_t)first + i, padding);
                for (uint32_t channel = 0; channel < CHANNELS; channel++) few[i][channel] = from[channel];
            }
            done = 1;
            expand_pixels(layer, few[0], 1, planes);
        }
    }
    /* The third column of pixels under the last windows; the other half of its last word has no weight. */
    const uint8_t *from = pixel_at(layer, row, (uint32_t)first, padding);
    const uint32_t last = (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16;
    SPLIT(planes[0], planes[PLANE], last);
}

void edgeloop_rgb_convolution_row(const edgeloop_rgb_convolution *layer, const void *const *rows, int8_t *output, void *scratch) {
    uint32_t *planes = scratch;
    work w;
    w.layer = layer;
    w.channels = layer->output_channels;
    w.is_positive = layer->rounding == EDGELOOP_ROUND_POSITIVE;
    for (uint32_t column = 0; column < layer->output_width; column += COLUMNS) {
        const uint32_t left = layer->output_width - column, columns = left < COLUMNS ? left : COLUMNS;
        const int32_t first = (int32_t)(column * STRIDE) - (int32_t)layer->left;
        for (uint32_t y = 0; y < ROWS; y++) expand_row(layer, rows[y], first, (columns + 1) & ~1u, planes + y * ROW_WORDS);
        EDGELOOP_WRITTEN(planes);
        w.weights = layer->weights;
        w.scaling = layer->scaling;
        for (uint32_t channel = 0; channel < w.channels; channel += 2, w.weights += PAIR_WORDS, w.scaling += SCALING) {
            w.stored = w.channels - channel < 2 ? 1 : 2;
            w.is_plain = w.stored == 2 && layer->rounding != EDGELOOP_ROUND_EXACT;
            multiply(&w, planes, columns, output + column * w.channels + channel);
        }
    }
}

#else

/* The stored value at a place of a row; outside it, and in a missing row, the input's zero point. */
EDGELOOP_INLINE int32_t value_at(const edgeloop_rgb_convolution *layer, const void *row, uint32_t column, uint32_t channel) {
    if (row == NULL || column >= layer->input_width) return layer->input_zero_point;
    const uint32_t place = column * CHANNELS + channel;
    return layer->input_is_unsigned ? ((const uint8_t *)row)[place] : ((const int8_t *)row)[place];
}

static int32_t sum_at(const edgeloop_rgb_convolution *layer, const void *const *rows, uint32_t column, uint32_t channel) {
    const int32_t *weights = layer->weights + channel / 2 * PAIR_WORDS + channel % 2;
    const uint32_t first = column * STRIDE - layer->left;
    int32_t sum = layer->scaling[channel / 2 * SCALING + channel % 2 + BIAS];
    for (uint32_t y = 0; y < ROWS; y++) {
        for (uint32_t i = 0; i < RUN; i++) {
            const uint32_t two = (uint32_t)weights[(y * PAIRS + i / 2) * 2];
            const int32_t weight = (int16_t)(uint16_t)(two >> (16 * (i % 2)) & 0xffffu);
            sum = edgeloop_wrapping_add(sum, weight * value_at(layer, rows[y], first + i / CHANNELS, i % CHANNELS));
        }
    }
    return sum;
}

void edgeloop_rgb_convolution_row(const edgeloop_rgb_convolution *layer, const void *const *rows, int8_t *output, void *scratch) {
    (void)scratch;
    for (uint32_t column = 0; column < layer->output_width; column++) {
        for (uint32_t channel = 0; channel < layer->output_channels; channel++) {
            const int32_t sum = sum_at(layer, rows, column, channel);
            *output++ = (int8_t)value_of(layer, sum, layer->scaling + channel / 2 * SCALING + channel % 2);
        }
    }
}

#endif
#endif
