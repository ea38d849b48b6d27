/* DEPTHWISE_CONV_2D, a few rows at once. */
#include "edgeloop_depthwise.h"

#include "edgeloop_depthwise_groups.h"
#include "edgeloop_tile.h"

/* The stored value at a place of a row; outside it, and in a missing row, the input's zero point. */
EDGELOOP_INLINE int32_t value_at(const edgeloop_depthwise *layer, const int8_t *row, uint32_t column, uint32_t channel) {
    if (row == NULL || column >= layer->input_width) return layer->input_zero_point;
    return row[column * layer->channels + channel];
}

static int32_t output_at(const edgeloop_depthwise *layer, const int8_t *const *rows, uint32_t column, uint32_t channel) {
    const int8_t *weights = layer->weights + channel * layer->kernel_height * layer->kernel_width;
    const uint32_t first = column * layer->stride_x - layer->left;
    int32_t sum = layer->bias[channel];
    for (uint32_t ky = 0; ky < layer->kernel_height; ky++) {
        for (uint32_t kx = 0; kx < layer->kernel_width; kx++) {
            sum = edgeloop_wrapping_add(sum, *weights++ * value_at(layer, rows[ky], first + kx, channel));
        }
    }
    return edgeloop_requantized(sum, layer->multiplier[channel], layer->shift[channel], layer->output_zero_point, layer->low, layer->high);
}

/* Any window, without scratch memory. */
static void plain_rows(const edgeloop_depthwise *layer, uint32_t stride_y, const int8_t *const *rows, uint32_t count, int8_t *output) {
    for (; count; count--, rows += stride_y) {
        for (uint32_t column = 0; column < layer->output_width; column++) {
            for (uint32_t channel = 0; channel < layer->channels; channel++) *output++ = (int8_t)output_at(layer, rows, column, channel);
        }
    }
}

#if EDGELOOP_TILES

/* One channel's input values under some tiles lie in a *plane*: rows of 16-bit values, columns next to each other, padding
 * included. So a word is a pair of neighbouring columns (0, 1), (2, 3), and a window that begins at an even column takes, of
 * each row, with w its weights,
 *     SMLAD with (w0, w1), then the lower half times w2;
 * and one that begins at an odd column
 *     the upper half times w0, then SMLAD with (w1, w2).
 * (w0, w1) and (w1, w2) hold all that is needed; a row of five weights is four such pairs. Tiles are the groups of
 * edgeloop_tile.h: four columns, or three. Four channels' planes are filled at once, from words of their values; of what is
 * left, one. */
enum { CHANNELS = 4, MOST_SIZE = 5, MOST_TILE = 4 };

typedef struct {
    uint32_t weights[MOST_SIZE * (MOST_SIZE - 1)]; /* [kernel row][pair] */
    int32_t bias;
    int32_t multiplier;
    int32_t offset; /* of fast rounding */
    int32_t right; /* the shift, positive to the right */
    uint32_t rounding;
    const edgeloop_depthwise *layer;
} channel_work;

typedef struct tiles tiles;
typedef void tiles_kernel(const channel_work *c, const tiles *t, const uint32_t *from, uint8_t *to);

/* Tiles of one channel at equal distances in two directions: words of the plane, and bytes of the results. */
struct tiles {
    tiles_kernel *kernel;
    uint32_t first_word;
    uint32_t first_byte;
    uint32_t row_words; /* of a plane */
    uint32_t count;     /* in the one direction, */
    uint32_t step;
    uint32_t bytes;
    uint32_t rows;      /* and in the other one */
    uint32_t row_step;
    uint32_t row_bytes;
    uint32_t columns;   /* of each that are stored */
    uint32_t halves;    /* 1: results go into groups, 0: into rows of bytes, */
    uint32_t column_bytes; /* where columns are so far from each other */
};

/* A strip: some tiles of all rows. What is the same for all channels. */
typedef struct {
    const edgeloop_depthwise *layer;
    const int8_t *const *rows;
    uint32_t stride_y;
    uint32_t input_rows;
    uint32_t output_rows;
    int32_t first;        /* input column under the first weight of the first tile */
    uint32_t before;      /* words of a plane's row before the input's row, */
    uint32_t inside;      /* and in it */
    uint32_t row_words;   /* of a plane */
    uint32_t plane_words;
    uint32_t *planes;
    uint32_t halves;      /* as in tiles */
    uint32_t step;
    uint32_t four_bytes;  /* from one tile's results to the next one's, */
    uint32_t three_bytes;
    uint32_t row_bytes;   /* and from row to row */
    uint32_t fours;       /* whether the first run is one of tiles of four */
    uint32_t all_runs;
    tiles runs[4];
} work;

/* Words of a plane's row under so many output columns. */
EDGELOOP_INLINE uint32_t row_words_of(const edgeloop_depthwise *layer, uint32_t columns) {
    return ((columns - 1) * layer->stride_x + layer->kernel_width + 1) / 2;
}

/* Two columns of four channels: their bytes 0 and 1, then their bytes 2 and 3, are put beside each other and expanded. */
#define PUT_FOUR(a, b)                                                                 \
    do {                                                                               \
        const uint32_t low = edgeloop_pack_low(a, b), high = edgeloop_pack_high(a, b); \
        *first++ = edgeloop_sxtb16(low);                                               \
        *second++ = edgeloop_sxtb16_high(low);                                         \
        *third++ = edgeloop_sxtb16(high);                                              \
        *fourth++ = edgeloop_sxtb16_high(high);                                        \
    } while (0)
#define PUT_ONE(a, b) *first++ = edgeloop_pack_low(a, b)

/* The planes' rows: of missing ones the zero point `fill`; else some words of which a column may be padding, words that
 * are all inside, and again some of the first sort. */
#define FILL(PUT, LOAD, fill)                                                                                  \
    do {                                                                                                       \
        const uint32_t width = layer->input_width;                                                             \
        for (uint32_t i = 0; i < w->input_rows; i++) {                                                         \
            uint32_t left = w->row_words;                                                                      \
            if (w->rows[i] == NULL) {                                                                          \
                for (; left; left--) PUT(fill, fill);                                                          \
                continue;                                                                                      \
            }                                                                                                  \
            uint32_t column = (uint32_t)w->first, inside = w->inside;                                          \
            /* Before the row where the first columns are padding, which then are not read. */                 \
            uintptr_t at = (uintptr_t)w->rows[i] + channel + (uintptr_t)((intptr_t)w->first * (intptr_t)step); \
            for (uint32_t before = inside ? w->before : left; before; before--, left--) {                      \
                const uint32_t a = column < width ? LOAD(at) : fill;                                           \
                const uint32_t b = column + 1 < width ? LOAD(at + step) : fill;                                \
                PUT(a, b);                                                                                     \
                column += 2;                                                                                   \
                at += 2 * step;                                                                                \
            }                                                                                                  \
            left -= inside;                                                                                    \
            column += 2 * inside;                                                                              \
            for (; inside; inside--, at += 2 * step) {                                                         \
                const uint32_t a = LOAD(at), b = LOAD(at + step);                                              \
                PUT(a, b);                                                                                     \
            }                                                                                                  \
            for (; left; left--) {                                                                             \
                const uint32_t a = column < width ? LOAD(at) : fill;                                           \
                const uint32_t b = column + 1 < width ? LOAD(at + step) : fill;                                \
                PUT(a, b);                                                                                     \
                column += 2;                                                                                   \
                at += 2 * step;                                                                                \
            }                                                                                                  \
        }                                                                                                      \
    } while (0)

EDGELOOP_INLINE uint32_t four_at(uintptr_t at) { return edgeloop_load4((const void *)at); }
EDGELOOP_INLINE uint32_t one_at(uintptr_t at) { return (uint32_t)(int32_t)*(const int8_t *)at; }

/* The planes of four channels from `channel` on. */
EDGELOOP_APART void fill_four(const work *w, uint32_t channel) {
    const edgeloop_depthwise *layer = w->layer;
    const uint32_t step = layer->channels, size = w->plane_words;
    const uint32_t fill = ((uint32_t)layer->input_zero_point & 0xffu) * 0x01010101u;
    uint32_t *first = w->planes, *second = first + size, *third = second + size, *fourth = third + size;
    FILL(PUT_FOUR, four_at, fill);
}

/* The plane of one channel. */
EDGELOOP_APART void fill_one(const work *w, uint32_t channel) {
    const edgeloop_depthwise *layer = w->layer;
    const uint32_t step = layer->channels, fill = (uint32_t)layer->input_zero_point;
    uint32_t *first = w->planes;
    FILL(PUT_ONE, one_at, fill);
}

/* How many words of a plane's row lie `before` and `inside` the input's row, both columns of each. */
static void place_words(work *w) {
    const int32_t first = w->first, words = (int32_t)w->row_words;
    const int32_t before = first < 0 ? (1 - first) / 2 : 0;
    const int32_t behind = ((int32_t)w->layer->input_width - first) / 2;
    const int32_t end = behind < words ? behind : words;
    w->before = (uint32_t)before;
    w->inside = end > before ? (uint32_t)(end - before) : 0;
}

/* The pairs (0, 1) and (1, 2) of the weights that are the lowest bytes of a word, doubled or not. */
EDGELOOP_INLINE void put_pairs(uint32_t bytes, uint32_t doubled, uint32_t *pairs) {
    const uint32_t overlapped = edgeloop_pack_overlapped(bytes);
    const uint32_t first = edgeloop_sxtb16(overlapped), second = edgeloop_sxtb16_high(overlapped);
    pairs[0] = doubled ? edgeloop_sadd16(first, first) : first;
    pairs[1] = doubled ? edgeloop_sadd16(second, second) : second;
}

EDGELOOP_APART void prepare_channel(const edgeloop_depthwise *layer, uint32_t channel, channel_work *c) {
    /* Fast rounding begins with twice the sum (edgeloop_dsp.h), for which there is room: so weights and bias are doubled. */
    const uint32_t doubled = layer->rounding != EDGELOOP_ROUND_EXACT;
    /* Words are taken such that none reaches beyond the last weight. */
    if (layer->kernel_width == 3) {
        const int8_t *from = layer->weights + 9 * channel;
        put_pairs(edgeloop_load4(from), doubled, c->weights);
        put_pairs(edgeloop_load4(from + 3), doubled, c->weights + 2);
        put_pairs(edgeloop_load4(from + 5) >> 8, doubled, c->weights + 4);
    } else {
        const int8_t *from = layer->weights + 25 * channel;
        for (uint32_t ky = 0; ky < 5; ky++, from += 5) {
            put_pairs(edgeloop_load4(from), doubled, c->weights + 4 * ky);
            put_pairs(edgeloop_load4(from + 1) >> 8, doubled, c->weights + 4 * ky + 2);
        }
    }
    c->bias = doubled ? (int32_t)((uint32_t)layer->bias[channel] << 1) : layer->bias[channel];
    c->multiplier = layer->multiplier[channel];
    c->right = -layer->shift[channel];
    c->rounding = layer->rounding;
    c->offset = doubled ? edgeloop_fast_offset(layer->output_zero_point, -c->right) : 0;
    c->layer = layer;
}

/* Results of a tile. */
typedef struct {
    int32_t value[MOST_TILE];
} four;

/* Products of the word v: E of a window that begins at an even column, O at an odd one, by the number of the word in the
 * window. The first row's first products start from the bias. */
#define E0_FIRST(sum) sum = edgeloop_smlad_from(v, w01, bias)
#define O0_FIRST(sum) sum = edgeloop_smlatb_from(v, w01, bias)
#define E0_LATER(sum) edgeloop_smlad_to(v, w01, &sum)
#define O0_LATER(sum) edgeloop_smlatb_to(v, w01, &sum)
#define E1(sum)                           \
    if (size == 3) {                      \
        edgeloop_smlabt_to(v, w12, &sum); \
    } else {                              \
        edgeloop_smlad_to(v, w23, &sum);  \
    }
#define O1(sum) edgeloop_smlad_to(v, w12, &sum)
#define E2(sum) \
    if (size == 5) edgeloop_smlabt_to(v, w34, &sum)
#define O2(sum) \
    if (size == 5) edgeloop_smlad_to(v, w34, &sum)

/* One row of a tile, word by word. */
#define ROW(E0, O0)                                           \
    do {                                                      \
        uint32_t w01, w12, w23 = 0, w34 = 0, v, next;         \
        EDGELOOP_LOAD_PAIR(w01, w12, weights);                \
        if (size == 5) EDGELOOP_LOAD_PAIR(w23, w34, weights); \
        EDGELOOP_LOAD_PAIR_AT(v, next, at, 0);                \
        if (stride == 2) {                                    \
            E0(s0);                                           \
            v = next;                                         \
            E1(s0);                                           \
            E0(s1);                                           \
            EDGELOOP_LOAD_PAIR_AT(v, next, at, 2);            \
            E2(s0);                                           \
            E1(s1);                                           \
            E0(s2);                                           \
            v = next;                                         \
            E2(s1);                                           \
            E1(s2);                                           \
            if (columns == 4) E0(s3);                         \
            if (columns == 4 || size == 5) {                  \
                EDGELOOP_LOAD_AT(v, at, 4);                   \
                E2(s2);                                       \
            }                                                 \
            if (columns == 4) {                               \
                E1(s3);                                       \
                if (size == 5) EDGELOOP_LOAD_AT(v, at, 5);    \
                E2(s3);                                       \
            }                                                 \
        } else if (odd) {                                     \
            O0(s0);                                           \
            v = next;                                         \
            O1(s0);                                           \
            E0(s1);                                           \
            O0(s2);                                           \
            EDGELOOP_LOAD_AT(v, at, 2);                       \
            O2(s0);                                           \
            E1(s1);                                           \
            O1(s2);                                           \
            if (size == 5) EDGELOOP_LOAD_AT(v, at, 3);        \
            E2(s1);                                           \
            O2(s2);                                           \
        } else {                                              \
            E0(s0);                                           \
            O0(s1);                                           \
            v = next;                                         \
            E1(s0);                                           \
            O1(s1);                                           \
            E0(s2);                                           \
            if (columns == 4) O0(s3);                         \
            EDGELOOP_LOAD_AT(v, at, 2);                       \
            E2(s0);                                           \
            O2(s1);                                           \
            E1(s2);                                           \
            if (columns == 4) O1(s3);                         \
            if (size == 5) EDGELOOP_LOAD_AT(v, at, 3);        \
            E2(s2);                                           \
            if (columns == 4) O2(s3);                         \
        }                                                     \
        at += row_words;                                      \
    } while (0)

EDGELOOP_APART void finish_exact(const channel_work *c, four *tile) {
    const edgeloop_depthwise *layer = c->layer;
    for (uint32_t i = 0; i < MOST_TILE; i++) {
        tile->value[i] = edgeloop_requantized(tile->value[i], c->multiplier, -c->right, layer->output_zero_point, layer->low, layer->high);
    }
}

/* Neighbouring results of one channel: four, or three, whose windows begin at an even or odd column of the plane; `at` is the
 * word of the first one in the first row. All but the first three arguments are constants where this is called. */
EDGELOOP_INLINE four tile_of(const channel_work *c, const uint32_t *at, uint32_t row_words, uint32_t size, uint32_t stride,
                             uint32_t columns, uint32_t odd) {
    const uint32_t *weights = c->weights;
    const int32_t bias = c->bias;
    int32_t s0, s1, s2, s3 = 0;
    ROW(E0_FIRST, O0_FIRST);
    if (size == 3) {
        ROW(E0_LATER, O0_LATER);
        ROW(E0_LATER, O0_LATER);
    } else {
        for (uint32_t i = 1; i < size; i++) ROW(E0_LATER, O0_LATER);
    }
    const int32_t multiplier = c->multiplier, offset = c->offset, right = c->right;
    if (c->rounding == EDGELOOP_ROUND_POSITIVE) {
#define POSITIVE(sum) edgeloop_saturated(edgeloop_smmlar(sum, multiplier, offset) >> right)
        const four result = {{POSITIVE(s0), POSITIVE(s1), POSITIVE(s2), columns == 4 ? POSITIVE(s3) : 0}};
        return result;
    }
    if (c->rounding == EDGELOOP_ROUND_FAST) {
#define FAST(sum) edgeloop_saturated(edgeloop_smmlar(sum, multiplier, edgeloop_wrapping_add(offset, (sum) >> 31)) >> right)
        const four result = {{FAST(s0), FAST(s1), FAST(s2), columns == 4 ? FAST(s3) : 0}};
        return result;
    }
    four result = {{s0, s1, s2, s3}};
    finish_exact(c, &result);
    return result;
}

EDGELOOP_INLINE void store(const tiles *t, const four *tile, uint32_t columns, uint8_t *to) {
    if (t->halves) {
        int16_t *halves = (int16_t *)(void *)to;
        halves[0] = (int16_t)tile->value[0];
        halves[2] = (int16_t)tile->value[1];
        halves[4] = (int16_t)tile->value[2];
        if (columns == 4) halves[6] = (int16_t)tile->value[3];
    } else {
        const uint32_t step = t->column_bytes;
        to[0] = (uint8_t)tile->value[0];
        if (t->columns > 1) to[step] = (uint8_t)tile->value[1];
        if (t->columns > 2) to[2 * step] = (uint8_t)tile->value[2];
        if (columns == 4) to[3 * step] = (uint8_t)tile->value[3];
    }
}

EDGELOOP_INLINE void all_tiles(const channel_work *c, const tiles *t, const uint32_t *from, uint8_t *row_to, uint32_t size, uint32_t stride,
                               uint32_t columns, uint32_t odd) {
    const uint32_t row_words = t->row_words;
    for (uint32_t rows = t->rows; rows; rows--, from += t->row_step, row_to += t->row_bytes) {
        const uint32_t *at = from;
        uint8_t *to = row_to;
        for (uint32_t count = t->count; count; count--, at += t->step, to += t->bytes) {
            const four tile = tile_of(c, at, row_words, size, stride, columns, odd);
            store(t, &tile, columns, to);
        }
    }
}

#define TILES(name, size, stride, columns, odd)                                                          \
    EDGELOOP_APART void name(const channel_work *c, const tiles *t, const uint32_t *from, uint8_t *to) { \
        all_tiles(c, t, from, to, size, stride, columns, odd);                                           \
    }
TILES(fours_3_1, 3, 1, 4, 0)
TILES(threes_3_1, 3, 1, 3, 0)
TILES(odd_threes_3_1, 3, 1, 3, 1)
TILES(fours_3_2, 3, 2, 4, 0)
TILES(threes_3_2, 3, 2, 3, 0)
TILES(fours_5_1, 5, 1, 4, 0)
TILES(threes_5_1, 5, 1, 3, 0)
TILES(odd_threes_5_1, 5, 1, 3, 1)
TILES(fours_5_2, 5, 2, 4, 0)
TILES(threes_5_2, 5, 2, 3, 0)

/* By size and stride: tiles of four columns, of three, and of three that begin at an odd column (with stride 1). */
static tiles_kernel *const kernels[2][2][3] = {
    {{fours_3_1, threes_3_1, odd_threes_3_1}, {fours_3_2, threes_3_2, threes_3_2}},
    {{fours_5_1, threes_5_1, odd_threes_5_1}, {fours_5_2, threes_5_2, threes_5_2}},
};

/* The runs of tiles of a strip: all of four columns, rows or columns innermost, whichever is longer; then each of three, of all
 * rows. `w->fours` and `w->threes` say how many there are in a row; `stored` columns of the last one of three are stored. */
static void set_runs(work *w, uint32_t fours, uint32_t threes, uint32_t stored) {
    const edgeloop_depthwise *layer = w->layer;
    tiles_kernel *const *of = kernels[layer->kernel_width == MOST_SIZE][layer->stride_x - 1];
    const uint32_t stride = layer->stride_x, stride_words = w->row_words * w->stride_y;
    tiles *run = w->runs;
    if (fours) {
        const tiles along = {of[0],        0, 0,         w->row_words, fours, 2 * stride, w->four_bytes, w->output_rows, stride_words,
                             w->row_bytes, 4, w->halves, w->step};
        const tiles down = {of[0],         0, 0,         w->row_words, w->output_rows, stride_words, w->row_bytes, fours, 2 * stride,
                            w->four_bytes, 4, w->halves, w->step};
        *run++ = w->output_rows > fours ? down : along;
    }
    for (uint32_t i = 0; i < threes; i++) {
        /* With stride 1 the second one begins at an odd column, in the word of the first one's last column. */
        const uint32_t word = 2 * stride * fours + (stride == 2 ? 3 * i : i / 2 * 3 + i % 2);
        const tiles three = {of[1 + i % 2],
                             word,
                             i * w->three_bytes,
                             w->row_words,
                             w->output_rows,
                             stride_words,
                             w->row_bytes,
                             1,
                             0,
                             0,
                             i + 1 < threes ? 3 : stored,
                             w->halves,
                             w->step};
        *run++ = three;
    }
    w->fours = fours != 0;
    w->all_runs = (uint32_t)(run - w->runs);
}

/* Where a channel's 16 bits lie in a group of `columns`, in bytes: inputs 0 1 2 3 are the words (0, 2) and (1, 3). */
EDGELOOP_INLINE uint32_t half_of(uint32_t channel, uint32_t columns) {
    return (channel / 4 * 2 + channel % 2) * columns * 4 + channel % 4 / 2 * 2;
}

/* All channels of a strip. `to` and `threes` are the places of the first results of tiles of four and of three columns. */
static void all_channels(const work *w, uint8_t *to, uint8_t *threes) {
    const edgeloop_depthwise *layer = w->layer;
    for (uint32_t channel = 0, channels; channel < layer->channels; channel += channels) {
        const uint32_t *plane = w->planes;
        channels = layer->channels - channel >= CHANNELS ? CHANNELS : 1;
        (channels == CHANNELS ? fill_four : fill_one)(w, channel);
        for (uint32_t i = channel; i < channel + channels; i++, plane += w->plane_words) {
            channel_work c;
            prepare_channel(layer, i, &c);
            const channel_work *ready = &c;
            EDGELOOP_WRITTEN(plane);
            EDGELOOP_WRITTEN(ready);
            const tiles *run = w->runs, *const end = run + w->all_runs;
            if (w->fours) {
                run->kernel(ready, run, plane, to + (w->halves ? half_of(i, 4) : i));
                run++;
            }
            uint8_t *at = threes + (w->halves ? half_of(i, 3) : i);
            for (; run != end; run++) run->kernel(ready, run, plane + run->first_word, at + run->first_byte);
        }
    }
}

/* Whether tiles do: square windows of three or five, strides 1 and 2. */
static uint32_t has_tiles(const edgeloop_depthwise *layer) {
    const uint32_t size = layer->kernel_width;
    return (size == 3 || size == MOST_SIZE) && layer->kernel_height == size && (layer->stride_x == 1 || layer->stride_x == 2);
}

/* Where results go, and where the planes may lie: behind results, on whose last row they may lie as long as it is not written. */
typedef struct {
    uint8_t *to;
    uint32_t halves;       /* as in tiles */
    uint32_t column_bytes; /* of the results */
    uint32_t row_bytes;
    uint32_t *end;         /* of the memory for planes */
    uint32_t words;        /* of it, behind the results */
    uint32_t column_words; /* and in each column of the last row of results: 0 where these are not before it */
} places;

/* How many of the next `most` tiles, `columns` columns that are not yet written, the planes have room for. */
static uint32_t fitting_tiles(const work *w, const places *p, uint32_t most, uint32_t columns) {
    const uint32_t planes = w->layer->channels < CHANNELS ? 1 : CHANNELS;
    for (uint32_t tiles = most; tiles > 1; tiles--) {
        const uint32_t taken = MOST_TILE * tiles < columns ? MOST_TILE * tiles : columns;
        const uint32_t room = p->words + (columns - taken) * p->column_words;
        if (planes * w->input_rows * row_words_of(w->layer, taken) <= room) return tiles;
    }
    return 1;
}

/* All columns, as many tiles at once as there is room for. */
static void tiled_rows(const edgeloop_depthwise *layer, uint32_t stride_y, const int8_t *const *rows, uint32_t count, const places *p) {
    const edgeloop_cut cut = edgeloop_cut_of(layer->output_width);
    const uint32_t all = cut.fours + cut.threes;
    const uint32_t whole = edgeloop_cut_columns(cut);
    work w;
    w.layer = layer;
    w.rows = rows;
    w.stride_y = stride_y;
    w.input_rows = (count - 1) * stride_y + layer->kernel_height;
    w.output_rows = count;
    w.halves = p->halves;
    w.step = layer->channels;
    w.four_bytes = 4 * p->column_bytes;
    w.three_bytes = 3 * p->column_bytes;
    w.row_bytes = p->row_bytes;
    for (uint32_t tile = 0, column = 0, end; tile < all; tile = end) {
        end = tile + fitting_tiles(&w, p, all - tile, whole - column);
        const uint32_t fours = tile < cut.fours ? (end < cut.fours ? end : cut.fours) - tile : 0;
        const uint32_t threes = end - tile - fours;
        const uint32_t columns = 4 * fours + 3 * threes;
        const uint32_t rest = layer->output_width - column;
        w.first = (int32_t)(column * layer->stride_x - layer->left);
        w.row_words = row_words_of(layer, columns);
        w.plane_words = w.row_words * w.input_rows;
        w.planes = p->end - w.plane_words * (layer->channels < CHANNELS ? 1 : CHANNELS);
        place_words(&w);
        set_runs(&w, fours, threes, rest < columns ? rest + 3 - columns : 3);
        uint8_t *to = p->to + column * p->column_bytes;
        all_channels(&w, to, to + fours * w.four_bytes);
        column += columns;
    }
}

void edgeloop_depthwise_groups(const edgeloop_depthwise *layer, uint32_t stride_y, const int8_t *const *rows, uint32_t count,
                               uint32_t scratch_bytes, uint32_t *scratch) {
    const uint32_t column_bytes = edgeloop_filled(layer->channels) * 2;
    const uint32_t row_bytes = edgeloop_cut_columns(edgeloop_cut_of(layer->output_width)) * column_bytes;
    const places p = {(uint8_t *)scratch, 1, column_bytes, row_bytes, scratch + scratch_bytes / 4, (scratch_bytes - count * row_bytes) / 4,
                      column_bytes / 4};
    tiled_rows(layer, stride_y, rows, count, &p);
}

#endif

void edgeloop_depthwise_rows(const edgeloop_depthwise *layer, uint32_t stride_y, const int8_t *const *rows, uint32_t count, int8_t *output,
                             uint32_t scratch_bytes, void *scratch) {
#if EDGELOOP_TILES
    if (has_tiles(layer)) {
        const places p = {
            (uint8_t *)output, 0, layer->channels, layer->output_width * layer->channels, (uint32_t *)scratch + scratch_bytes / 4,
            scratch_bytes / 4, 0};
        tiled_rows(layer, stride_y, rows, count, &p);
        return;
    }
#elif EDGELOOP_MVE
    if (layer->kernel_height * layer->kernel_width <= EDGELOOP_MVE_MOST_TAPS) {
        edgeloop_mve_depthwise_rows(layer, stride_y, rows, count, output);
        return;
    }
#endif
    (void)scratch_bytes;
    (void)scratch;
    plain_rows(layer, stride_y, rows, count, output);
}
