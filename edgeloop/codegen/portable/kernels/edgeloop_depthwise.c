/* DEPTHWISE_CONV_2D, row by row. */
#include "edgeloop_depthwise.h"

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
    return edgeloop_requantized(sum, layer->multiplier[channel], layer->shift[channel], layer->output_zero_point, layer->low,
                                layer->high);
}

#if EDGELOOP_DSP

enum { COLUMNS = 4 };

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

/* Where a channel's input values lie: column 0 of three rows, and how they continue. */
typedef struct {
    const int8_t *row[3];
    uint32_t step;       /* bytes from column to column */
    int32_t zero_point;
} channel_rows;

/* Four neighbouring output values of one channel. */
typedef struct {
    int32_t value[COLUMNS];
} four;

/* The next input column: rows 0 and 1 as a pair, and row 2; or a column of padding. */
#define LOAD                                                                       \
    do {                                                                           \
        v01 = edgeloop_pack_low((uint32_t)(int32_t)*r0, (uint32_t)(int32_t)*r1);   \
        v2 = (uint32_t)(int32_t)*r2;                                               \
        r0 += step;                                                                \
        r1 += step;                                                                \
        r2 += step;                                                                \
    } while (0)
#define PADDING                                                                             \
    do {                                                                                    \
        v01 = edgeloop_pack_low((uint32_t)from->zero_point, (uint32_t)from->zero_point);    \
        v2 = (uint32_t)from->zero_point;                                                    \
    } while (0)
/* The products of an input column with one column of the window. */
#define COLUMN_0(sum) edgeloop_smlabb(v2, c->w_20_21, edgeloop_smlad(v01, c->w_0, sum))
#define COLUMN_1(sum) edgeloop_smlabt(v2, c->w_20_21, edgeloop_smlad(v01, c->w_1, sum))
#define COLUMN_2(sum) edgeloop_smlabb(v2, c->w_22, edgeloop_smlad(v01, c->w_2, sum))
#define FINISH(sum) edgeloop_saturated(edgeloop_fast(sum, c->multiplier, c->offset, c->right))

/* `first` is the input column of the first value's window; at_left and at_right say that the first or the last column is
 * padding. */
EDGELOOP_INLINE four tile_of(const channel_3x3 *c, const channel_rows *from, uint32_t stride, uint32_t first, uint32_t at_left,
                             uint32_t at_right) {
    const uint32_t step = from->step;
    const uint32_t start = at_left ? 0 : first * step;
    const int8_t *r0 = from->row[0] + start;
    const int8_t *r1 = from->row[1] + start;
    const int8_t *r2 = from->row[2] + start;
    uint32_t v01, v2;
    int32_t s0, s1, s2, s3;
    four result;
    if (at_left) {
        PADDING;
    } else {
        LOAD;
    }
    s0 = COLUMN_0(c->bias);
    LOAD;
    s0 = COLUMN_1(s0);
    if (stride == 1) {
        s1 = COLUMN_0(c->bias);
        LOAD;
        s0 = COLUMN_2(s0);
        s1 = COLUMN_1(s1);
        s2 = COLUMN_0(c->bias);
        LOAD;
        s1 = COLUMN_2(s1);
        s2 = COLUMN_1(s2);
        s3 = COLUMN_0(c->bias);
        LOAD;
        s2 = COLUMN_2(s2);
    } else {
        LOAD;
        s0 = COLUMN_2(s0);
        s1 = COLUMN_0(c->bias);
        LOAD;
        s1 = COLUMN_1(s1);
        LOAD;
        s1 = COLUMN_2(s1);
        s2 = COLUMN_0(c->bias);
        LOAD;
        s2 = COLUMN_1(s2);
        LOAD;
        s2 = COLUMN_2(s2);
        s3 = COLUMN_0(c->bias);
        LOAD;
    }
    s3 = COLUMN_1(s3);
    if (at_right) {
        PADDING;
    } else {
        LOAD;
    }
    s3 = COLUMN_2(s3);
    result.value[0] = FINISH(s0);
    result.value[1] = FINISH(s1);
    result.value[2] = FINISH(s2);
    result.value[3] = FINISH(s3);
    return result;
}

/* Where results go: into groups of 16-bit columns or into a row of int8 values. */
typedef struct {
    int16_t *groups;       /* of this channel, column 0; NULL for a row */
    uint32_t group_halves;
    uint32_t column;       /* of output column 0, among all columns in groups */
    int8_t *row;           /* of this channel, column 0 */
    uint32_t channels;
} destination;

EDGELOOP_INLINE void store_tile(const destination *to, uint32_t column, four tile) {
    if (to->groups == NULL) {
        int8_t *at = to->row + column * to->channels;
        for (uint32_t i = 0; i < COLUMNS; i++, at += to->channels) *at = (int8_t)tile.value[i];
        return;
    }
    const uint32_t place = to->column + column;
    const uint32_t within = place % COLUMNS;
    int16_t *at = to->groups + place / COLUMNS * to->group_halves + 2 * within;
    at[0] = (int16_t)tile.value[0];
    if (within == 0) {
        at[2] = (int16_t)tile.value[1];
        at[4] = (int16_t)tile.value[2];
        at[6] = (int16_t)tile.value[3];
    } else {
        /* The tile goes on in the next group. */
        int16_t *next = at + to->group_halves - 2 * COLUMNS;
        (within < 3 ? at : next)[2] = (int16_t)tile.value[1];
        (within < 2 ? at : next)[4] = (int16_t)tile.value[2];
        next[6] = (int16_t)tile.value[3];
    }
}

/* All columns of one channel in tiles; the last one begins early enough to end at the row's end. */
EDGELOOP_INLINE void channel_row(const edgeloop_depthwise *layer, uint32_t stride, const channel_3x3 *c, const channel_rows *from,
                                 const destination *to) {
    const uint32_t last = layer->output_width - COLUMNS;
    const uint32_t right = last * stride - layer->left + (COLUMNS - 1) * stride + 3 > layer->input_width;
    uint32_t column = 0;
    for (;;) {
        const uint32_t first = column * stride - layer->left;
        store_tile(to, column, tile_of(c, from, stride, first, first > layer->input_width, right && column == last));
        if (column == last) break;
        column += COLUMNS;
        if (column > last) column = last;
    }
}

/* Whether tiles do: 3x3, stride 1 or 2, at most one column of padding at each side, which only one tile sees. */
static uint32_t has_tiles(const edgeloop_depthwise *layer) {
    const uint32_t end = (layer->output_width - 1) * layer->stride_x + 3 - layer->left; /* behind the last window */
    return layer->rounding != EDGELOOP_ROUND_EXACT && layer->kernel_height == 3 && layer->kernel_width == 3 &&
           (layer->stride_x == 1 || layer->stride_x == 2) && layer->left <= 1 && layer->output_width >= COLUMNS &&
           end <= layer->input_width + 1;
}

static void tiled_row(const edgeloop_depthwise *layer, const int8_t *const *rows, const destination *start) {
    const int8_t *present = rows[0] != NULL ? rows[0] : rows[1] != NULL ? rows[1] : rows[2];
    const uint32_t complete = rows[0] != NULL && rows[1] != NULL && rows[2] != NULL;
    channel_rows from = {{NULL, NULL, NULL}, layer->channels, layer->input_zero_point};
    destination to = *start;
    for (uint32_t i = 0; i < 3; i++) from.row[i] = rows[i] != NULL ? rows[i] : present;
    for (uint32_t channel = 0; channel < layer->channels; channel++) {
        channel_3x3 c = channel_of(layer, channel);
        if (!complete) c = without_rows(c, rows, layer->input_zero_point);
        if (start->groups != NULL) {
            /* Inputs 0 1 2 3 are the words (0, 2) and (1, 3) of a group. */
            to.groups = start->groups + channel / 4 * 16 + channel % 2 * 8 + channel % 4 / 2;
        }
        if (layer->stride_x == 1) {
            channel_row(layer, 1, &c, &from, &to);
        } else {
            channel_row(layer, 2, &c, &from, &to);
        }
        for (uint32_t i = 0; i < 3; i++) from.row[i]++;
        if (to.row != NULL) to.row++;
    }
}

/* Any window and rounding into groups. */
static void plain_row(const edgeloop_depthwise *layer, const int8_t *const *rows, const destination *to) {
    for (uint32_t channel = 0; channel < layer->channels; channel++) {
        int16_t *groups = to->groups + channel / 4 * 16 + channel % 2 * 8 + channel % 4 / 2;
        for (uint32_t column = 0; column < layer->output_width; column++) {
            const uint32_t place = to->column + column;
            groups[place / COLUMNS * to->group_halves + place % COLUMNS * 2] = (int16_t)output_at(layer, rows, column, channel);
        }
    }
}

void edgeloop_depthwise_groups(const edgeloop_depthwise *layer, uint32_t stride_y, const int8_t *const *rows, uint32_t count,
                               uint32_t *groups) {
    destination to = {(int16_t *)groups, ((layer->channels + 3u) & ~3u) * COLUMNS, 0, NULL, layer->channels};
    const uint32_t tiles = has_tiles(layer);
    for (uint32_t row = 0; row < count; row++, rows += stride_y, to.column += layer->output_width) {
        if (tiles) {
            tiled_row(layer, rows, &to);
        } else {
            plain_row(layer, rows, &to);
        }
    }
}

#endif

void edgeloop_depthwise_row(const edgeloop_depthwise *layer, const int8_t *const *rows, int8_t *output) {
#if EDGELOOP_DSP
    if (has_tiles(layer)) {
        const destination to = {NULL, 0, 0, output, layer->channels};
        tiled_row(layer, rows, &to);
        return;
    }
#endif
    for (uint32_t column = 0; column < layer->output_width; column++) {
        for (uint32_t channel = 0; channel < layer->channels; channel++) *output++ = (int8_t)output_at(layer, rows, column, channel);
    }
}
