/* DEPTHWISE_CONV_2D, row by row. */
#include "edgeloop_depthwise.h"

#include "edgeloop_depthwise_groups.h"
#include "edgeloop_tile.h"

/* The stored value at a place of a row; outside it, and in a missing row, the input's zero point. */
EDGELOOP_INLINE int32_t value_at(const edgeloop_depthwise *layer, const int8_t *row, uint32_t column, uint32_t channel) {
    if (row == NULL || column >= layer->input_width) return layer->input_zero_point;
    return row[column * layer->channels + channel];
}

/* Where the weight of a place in a 3x3 window (row * 3 + column) is stored. */
static const uint8_t order_3x3[9] = {0, 1, 4, 2, 3, 6, 5, 7, 8};

static int32_t output_at(const edgeloop_depthwise *layer, const int8_t *const *rows, uint32_t column, uint32_t channel) {
    const uint32_t window = layer->kernel_height * layer->kernel_width;
    const uint32_t is_3x3 = layer->kernel_height == 3 && layer->kernel_width == 3;
    const int8_t *weights = layer->weights + channel * window;
    const uint32_t first = column * layer->stride_x - layer->left;
    int32_t sum = layer->bias[channel];
    uint32_t place = 0;
    for (uint32_t ky = 0; ky < layer->kernel_height; ky++) {
        for (uint32_t kx = 0; kx < layer->kernel_width; kx++, place++) {
            const int32_t weight = weights[is_3x3 ? order_3x3[place] : place];
            sum = edgeloop_wrapping_add(sum, weight * value_at(layer, rows[ky], first + kx, channel));
        }
    }
    return edgeloop_requantized(sum, layer->multiplier[channel], layer->shift[channel], layer->output_zero_point, layer->low, layer->high);
}

#if EDGELOOP_DSP

enum { COLUMNS = EDGELOOP_COLUMNS };

/* Halfwords of a group of columns (edgeloop_tile.h). */
static uint32_t group_halfwords(uint32_t channels) { return 2 * edgeloop_group_words(edgeloop_filled(channels)); }

/* One channel's weights as pairs of 16 bits, rounding, and bias. */
typedef struct {
    uint32_t w_0;  /* (row 0, row 1) of column 0 */
    uint32_t w_1;
    uint32_t w_2;
    uint32_t w_20_21; /* row 2, columns 0 and 1 */
    uint32_t w_22;
    int32_t bias;
    int32_t multiplier;
    int32_t offset;
    int32_t right;
} channel_3x3;

static channel_3x3 channel_of(const edgeloop_depthwise *layer, uint32_t channel) {
    const int8_t *weights = layer->weights + 9 * channel;
    const uint32_t first = edgeloop_load4(weights);
    const uint32_t second = edgeloop_load4(weights + 4);
    const int32_t shift = layer->shift[channel];
    channel_3x3 result;
    result.w_0 = edgeloop_sxtb16(first);
    result.w_1 = edgeloop_sxtb16_high(first);
    result.w_2 = edgeloop_sxtb16(second);
    result.w_20_21 = edgeloop_sxtb16_high(second);
    result.w_22 = (uint32_t)(int32_t)weights[8];
    result.bias = layer->bias[channel];
    result.multiplier = layer->multiplier[channel];
    result.offset = edgeloop_fast_offset(layer->output_zero_point, shift);
    result.right = -shift;
    return result;
}

/* The weights of a missing row count as 0, and what it would have contributed goes into the bias. */
static channel_3x3 without_rows(channel_3x3 c, const int8_t *const *rows, int32_t zero_point) {
    const uint32_t keep = (rows[0] != NULL ? 0xffffu : 0u) | (rows[1] != NULL ? 0xffff0000u : 0u);
    const uint32_t fill = edgeloop_pack_low((uint32_t)zero_point, (uint32_t)zero_point);
    c.bias = edgeloop_smlad(fill, c.w_0 & ~keep, c.bias);
    c.bias = edgeloop_smlad(fill, c.w_1 & ~keep, c.bias);
    c.bias = edgeloop_smlad(fill, c.w_2 & ~keep, c.bias);
    c.w_0 &= keep;
    c.w_1 &= keep;
    c.w_2 &= keep;
    if (rows[2] == NULL) {
        c.bias = edgeloop_smlabb(fill, c.w_22, edgeloop_smlad(fill, c.w_20_21, c.bias));
        c.w_20_21 = c.w_22 = 0;
    }
    return c;
}

/* Four neighbouring output values of a channel. */
typedef struct {
    int32_t value[COLUMNS];
} four;

/* What is the same for all channels of an output row. Two of the three input rows are given by their distance to the first
 * one; starts are those of a tile's first window in the first input row, from the channel's first value. The last tile begins
 * early enough to end at the row's end, and computes some values again. */
typedef struct {
    uintptr_t second;
    uintptr_t third;
    uint32_t step;          /* bytes from column to column */
    uint32_t fill;          /* the zero point, as a pair */
    uint32_t left;          /* whether the first tile begins with a column of padding */
    uint32_t right;         /* whether the last one ends with one */
    uint32_t tiles;         /* before the last one */
    uintptr_t start;
    uintptr_t advance;      /* from tile to tile */
    uintptr_t last_start;
    uint32_t within;        /* where tiles begin within a group, 0 .. 3 */
    uint32_t last_within;
    uint32_t first_half;    /* where results begin in groups */
    uint32_t last_half;
    uint32_t group_halves;
    uint32_t last_column;
} row_work;

/* A tile is computed in two passes, so that everything fits into the registers: rows 0 and 1 as pairs, then row 2. Columns
 * are taken two by two: an even one at `at`, an odd one a step further, behind which `at` is moved on.
 * In a pass, PRODUCTS_k multiplies an input column by column k of the window. */
#define PAIR_EVEN                            \
    EDGELOOP_LOAD_BYTE(v, at);               \
    EDGELOOP_LOAD_BYTE_AT(high, at, second); \
    edgeloop_pack_high_to(&v, high)
#define PAIR_ODD                                  \
    EDGELOOP_LOAD_BYTE_AT(v, at, step);           \
    EDGELOOP_LOAD_BYTE_AT(high, at, second_step); \
    edgeloop_pack_high_to(&v, high);              \
    at += 2 * step
#define PAIR_PRODUCTS_0(sum) sum = edgeloop_smlad_from(v, w_0, bias)
#define PAIR_PRODUCTS_1(sum) edgeloop_smlad_to(v, w_1, &sum)
#define PAIR_PRODUCTS_2(sum) edgeloop_smlad_to(v, w_2, &sum)
#define SINGLE_EVEN EDGELOOP_LOAD_BYTE(v, at)
#define SINGLE_ODD                      \
    EDGELOOP_LOAD_BYTE_AT(v, at, step); \
    at += 2 * step
#define SINGLE_PRODUCTS_0(sum) edgeloop_smlabb_to(v, w_20_21, &sum)
#define SINGLE_PRODUCTS_1(sum) edgeloop_smlabt_to(v, w_20_21, &sum)
#define SINGLE_PRODUCTS_2(sum) edgeloop_smlabb_to(v, w_22, &sum)

#define PASS_OF_STRIDE_1(PASS) \
    if (at_left) {             \
        v = fill;              \
    } else {                   \
        PASS##_EVEN;           \
    }                          \
    PASS##_PRODUCTS_0(s0);     \
    PASS##_ODD;                \
    PASS##_PRODUCTS_1(s0);     \
    PASS##_PRODUCTS_0(s1);     \
    PASS##_EVEN;               \
    PASS##_PRODUCTS_2(s0);     \
    PASS##_PRODUCTS_1(s1);     \
    PASS##_PRODUCTS_0(s2);     \
    PASS##_ODD;                \
    PASS##_PRODUCTS_2(s1);     \
    PASS##_PRODUCTS_1(s2);     \
    PASS##_PRODUCTS_0(s3);     \
    PASS##_EVEN;               \
    PASS##_PRODUCTS_2(s2);     \
    PASS##_PRODUCTS_1(s3);     \
    if (at_right) {            \
        v = fill;              \
    } else {                   \
        PASS##_ODD;            \
    }                          \
    PASS##_PRODUCTS_2(s3)

#define PASS_OF_STRIDE_2(PASS) \
    if (at_left) {             \
        v = fill;              \
    } else {                   \
        PASS##_EVEN;           \
    }                          \
    PASS##_PRODUCTS_0(s0);     \
    PASS##_ODD;                \
    PASS##_PRODUCTS_1(s0);     \
    PASS##_EVEN;               \
    PASS##_PRODUCTS_2(s0);     \
    PASS##_PRODUCTS_0(s1);     \
    PASS##_ODD;                \
    PASS##_PRODUCTS_1(s1);     \
    PASS##_EVEN;               \
    PASS##_PRODUCTS_2(s1);     \
    PASS##_PRODUCTS_0(s2);     \
    PASS##_ODD;                \
    PASS##_PRODUCTS_1(s2);     \
    PASS##_EVEN;               \
    PASS##_PRODUCTS_2(s2);     \
    PASS##_PRODUCTS_0(s3);     \
    PASS##_ODD;                \
    PASS##_PRODUCTS_1(s3);     \
    if (at_right) {            \
        v = fill;              \
    } else {                   \
        PASS##_EVEN;           \
    }                          \
    PASS##_PRODUCTS_2(s3)

/* Four neighbouring output values of one channel. `start` is the place of the first one's window in row 0; where at_left or
 * at_right, the first or last input column is padding. */
EDGELOOP_INLINE four tile_of(const channel_3x3 *c, const row_work *w, uint32_t stride, uintptr_t start, uint32_t at_left,
                             uint32_t at_right) {
    const uint32_t step = w->step;
    const uint32_t fill = w->fill;
    uint32_t v;
    int32_t s0, s1, s2, s3;
    {
        const int32_t bias = c->bias;
        const uint32_t w_0 = c->w_0, w_1 = c->w_1, w_2 = c->w_2;
        const uintptr_t second = w->second, second_step = second + step;
        uintptr_t at = start;
        uint32_t high;
        if (stride == 1) {
            PASS_OF_STRIDE_1(PAIR);
        } else {
            PASS_OF_STRIDE_2(PAIR);
        }
    }
    {
        const uint32_t w_20_21 = c->w_20_21, w_22 = c->w_22;
        uintptr_t at = start + w->third;
        if (stride == 1) {
            PASS_OF_STRIDE_1(SINGLE);
        } else {
            PASS_OF_STRIDE_2(SINGLE);
        }
    }
#define FINISHED(sum) edgeloop_saturated(edgeloop_fast(sum, multiplier, offset, right))
    const int32_t multiplier = c->multiplier, offset = c->offset, right = c->right;
    const four result = {{FINISHED(s0), FINISHED(s1), FINISHED(s2), FINISHED(s3)}};
    return result;
}

/* A tile may begin in one group and go on in the next one. */
EDGELOOP_INLINE void store_in_groups(const four *tile, uint32_t within, int16_t *at, int16_t *next) {
    at[0] = (int16_t)tile->value[0];
    if (within == 0) {
        at[2] = (int16_t)tile->value[1];
        at[4] = (int16_t)tile->value[2];
        at[6] = (int16_t)tile->value[3];
    } else {
        (within < 3 ? at + 2 : next - 6)[0] = (int16_t)tile->value[1];
        (within < 2 ? at + 4 : next - 4)[0] = (int16_t)tile->value[2];
        next[-2] = (int16_t)tile->value[3];
    }
}

/* All columns of one channel into groups. base: its first value in the first input row; groups: its place in the first one. */
EDGELOOP_INLINE void channel_into_groups(const row_work *w, uint32_t stride, const channel_3x3 *c, uintptr_t base, int16_t *groups) {
    const uint32_t group_halves = w->group_halves;
    uintptr_t start = base + w->start;
    int16_t *at = groups + w->first_half;
    uint32_t within = w->within;
    uint32_t left = w->left;
    uint32_t tiles = w->tiles;
    uint32_t right = tiles == 0 ? w->right : 0;
    for (;;) {
        const four end = tile_of(c, w, stride, start, left, right);
        store_in_groups(&end, within, at, at + group_halves);
        if (tiles == 0) break;
        while (--tiles) {
            start += w->advance;
            at += group_halves;
            const four tile = tile_of(c, w, stride, start, 0, 0);
            store_in_groups(&tile, within, at, at + group_halves);
        }
        left = 0;
        right = w->right;
        start = base + w->last_start;
        at = groups + w->last_half;
        within = w->last_within;
    }
}

/* The same into a row of int8 values; output: of this channel, column 0. */
static void channel_into_row(const row_work *w, uint32_t stride, const channel_3x3 *c, uintptr_t base, int8_t *output) {
    for (uint32_t tile = 0; tile <= w->tiles; tile++) {
        const uint32_t is_last = tile == w->tiles;
        const uintptr_t start = base + (is_last ? w->last_start : w->start + tile * w->advance);
        const uint32_t left = tile == 0 ? w->left : 0;
        const uint32_t right = is_last ? w->right : 0;
        const four values = stride == 1 ? tile_of(c, w, 1, start, left, right) : tile_of(c, w, 2, start, left, right);
        int8_t *to = output + (is_last ? w->last_column : tile * COLUMNS) * w->step;
        for (uint32_t i = 0; i < COLUMNS; i++) to[i * w->step] = (int8_t)values.value[i];
    }
}

/* Where a channel lies in a group's column: inputs 0 1 2 3 are the words (0, 2) and (1, 3). */
EDGELOOP_INLINE uint32_t half_of(uint32_t channel) { return channel / 4 * 16 + channel % 2 * 8 + channel % 4 / 2; }

/* Whether tiles do: 3x3, stride 1 or 2, at most one column of padding at each side, which only one tile sees. */
static uint32_t has_tiles(const edgeloop_depthwise *layer) {
    const uint32_t end = (layer->output_width - 1) * layer->stride_x + 3 - layer->left; /* behind the last window */
    return layer->rounding != EDGELOOP_ROUND_EXACT && layer->kernel_height == 3 && layer->kernel_width == 3 &&
           (layer->stride_x == 1 || layer->stride_x == 2) && layer->left <= 1 && layer->output_width >= COLUMNS &&
           end <= layer->input_width + 1;
}

static row_work row_work_of(const edgeloop_depthwise *layer, uintptr_t first, uintptr_t second, uintptr_t third, uint32_t place) {
    const uint32_t zero_point = (uint32_t)layer->input_zero_point;
    const uint32_t last = layer->output_width - COLUMNS;
    const uint32_t step = layer->channels;
    row_work w;
    w.second = second - first;
    w.third = third - first;
    w.step = step;
    w.fill = edgeloop_pack_low(zero_point, zero_point);
    w.left = layer->left;
    w.right = (layer->output_width - 1) * layer->stride_x + 3 - layer->left > layer->input_width;
    w.tiles = (last + COLUMNS - 1) / COLUMNS;
    w.start = (uintptr_t)0 - layer->left * step;
    w.advance = COLUMNS * layer->stride_x * step;
    w.last_start = w.start + last * layer->stride_x * step;
    w.group_halves = group_halfwords(layer->channels);
    w.within = place % COLUMNS;
    w.last_within = (place + last) % COLUMNS;
    w.first_half = place / COLUMNS * w.group_halves + 2 * w.within;
    w.last_half = (place + last) / COLUMNS * w.group_halves + 2 * w.last_within;
    w.last_column = last;
    return w;
}

/* One output row, into groups (its first column being number `place` there) or, where these are NULL, a row. */
static void tiled_row(const edgeloop_depthwise *layer, const int8_t *const *rows, uint32_t place, int16_t *groups, int8_t *output) {
    const int8_t *present = rows[0] != NULL ? rows[0] : rows[1] != NULL ? rows[1] : rows[2];
    const uint32_t complete = rows[0] != NULL && rows[1] != NULL && rows[2] != NULL;
    EDGELOOP_WRITTEN(present);
    const uintptr_t any = (uintptr_t)present;
    uintptr_t base = rows[0] != NULL ? (uintptr_t)rows[0] : any;
    const row_work w =
        row_work_of(layer, base, rows[1] != NULL ? (uintptr_t)rows[1] : any, rows[2] != NULL ? (uintptr_t)rows[2] : any, place);
    for (uint32_t channel = 0; channel < layer->channels; channel++, base++) {
        channel_3x3 c = channel_of(layer, channel);
        if (!complete) c = without_rows(c, rows, layer->input_zero_point);
        if (groups == NULL) {
            channel_into_row(&w, layer->stride_x, &c, base, output + channel);
        } else if (layer->stride_x == 1) {
            channel_into_groups(&w, 1, &c, base, groups + half_of(channel));
        } else {
            channel_into_groups(&w, 2, &c, base, groups + half_of(channel));
        }
    }
}

/* Any window and rounding into groups. */
static void plain_row(const edgeloop_depthwise *layer, const int8_t *const *rows, uint32_t place, int16_t *groups) {
    const uint32_t group_halves = group_halfwords(layer->channels);
    for (uint32_t column = 0; column < layer->output_width; column++, place++) {
        int16_t *at = groups + place / COLUMNS * group_halves + place % COLUMNS * 2;
        for (uint32_t channel = 0; channel < layer->channels; channel++) {
            at[half_of(channel)] = (int16_t)output_at(layer, rows, column, channel);
        }
    }
}

void edgeloop_depthwise_groups(const edgeloop_depthwise *layer, uint32_t stride_y, const int8_t *const *rows, uint32_t count,
                               uint32_t *groups) {
    const uint32_t tiles = has_tiles(layer);
    int16_t *halves = (int16_t *)(void *)groups;
    for (uint32_t row = 0; row < count; row++, rows += stride_y) {
        if (tiles) {
            tiled_row(layer, rows, row * layer->output_width, halves, NULL);
        } else {
            plain_row(layer, rows, row * layer->output_width, halves);
        }
    }
}

#endif

void edgeloop_depthwise_row(const edgeloop_depthwise *layer, const int8_t *const *rows, int8_t *output) {
#if EDGELOOP_DSP
    if (has_tiles(layer)) {
        tiled_row(layer, rows, 0, NULL, output);
        return;
    }
#endif
    for (uint32_t column = 0; column < layer->output_width; column++) {
        for (uint32_t channel = 0; channel < layer->channels; channel++) *output++ = (int8_t)output_at(layer, rows, column, channel);
    }
}
