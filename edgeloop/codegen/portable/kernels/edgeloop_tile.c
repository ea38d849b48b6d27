/* Tiles of four or three columns and two output channels: where most of a network's instructions are executed. */
#include "edgeloop_tile.h"

#if EDGELOOP_TILES

enum { MOST_COLUMNS = 4 };

/* The sums of a tile, where its results are not simply stored. */
typedef struct {
    int32_t first[MOST_COLUMNS];  /* output channel `channel` */
    int32_t second[MOST_COLUMNS]; /* the next one */
} sums;

/* What channel pairs are multiplied with, and how. */
typedef struct {
    const edgeloop_convolution *layer;
    const edgeloop_channel_pair *pair;
    const uint32_t *weights;
    const uint32_t *end; /* of the weights */
    uint32_t four;       /* whether four inputs, */
    uint32_t eight;      /* and eight, are left over beside the first four and multiples of 16 */
    uint32_t channel;
    uint32_t channels;   /* in a column of the output */
    uint32_t fours;      /* groups in a row, */
    uint32_t threes;     /* full ones, */
    uint32_t rest;       /* and columns in one that is not full */
    uint32_t rows;
    uint32_t columns;    /* in a row */
} work;

void edgeloop_prepare_pair(const edgeloop_convolution *layer, uint32_t filled, uint32_t channel, edgeloop_channel_pair *pair) {
    uint32_t *words = (uint32_t *)(void *)(pair + 1);
    for (uint32_t i = 0; i < 2; i++) {
        const uint32_t o = channel + i < layer->output_channels ? channel + i : channel;
        const int32_t shift = layer->shift[o];
        pair->bias[i] = layer->bias[o];
        pair->multiplier[i] = layer->multiplier[o];
        pair->right[i] = -shift;
        pair->offset[i] = layer->rounding == EDGELOOP_ROUND_EXACT ? 0 : edgeloop_fast_offset(layer->output_zero_point, shift);
    }
    edgeloop_expand_pairs(layer->weights + channel * filled / 4, words, filled / 4);
}

/* Products of one word (two inputs) of four columns and two channels, 16 in 11 instructions. The first ones START from the bias. */
#define WORD_OF_FOUR(TO)                     \
    do {                                     \
        EDGELOOP_LOAD_PAIR(w0, w1, weights); \
        EDGELOOP_LOAD_PAIR(v0, v1, group);   \
        TO(v0, w0, a0, 0);                   \
        TO(v0, w1, b0, 1);                   \
        TO(v1, w0, a1, 0);                   \
        TO(v1, w1, b1, 1);                   \
        EDGELOOP_LOAD_PAIR(v0, v1, group);   \
        TO(v0, w0, a2, 0);                   \
        TO(v0, w1, b2, 1);                   \
        TO(v1, w0, a3, 0);                   \
        TO(v1, w1, b3, 1);                   \
    } while (0)
#define ADD(v, w, sum, i) edgeloop_smlad_to(v, w, &sum)
#define START(v, w, sum, i) sum = edgeloop_smlad_from(v, w, bias##i)
#define FOUR(TO)           \
    do {                   \
        WORD_OF_FOUR(TO);  \
        WORD_OF_FOUR(ADD); \
    } while (0)

/* Likewise of three columns: 12 in 8. */
#define WORD_OF_THREE(TO)                       \
    do {                                        \
        EDGELOOP_LOAD_PAIR(w0, w1, weights);    \
        EDGELOOP_LOAD_THREE(v0, v1, v2, group); \
        TO(v0, w0, a0, 0);                      \
        TO(v0, w1, b0, 1);                      \
        TO(v1, w0, a1, 0);                      \
        TO(v1, w1, b1, 1);                      \
        TO(v2, w0, a2, 0);                      \
        TO(v2, w1, b2, 1);                      \
    } while (0)
#define THREE(TO)           \
    do {                    \
        WORD_OF_THREE(TO);  \
        WORD_OF_THREE(ADD); \
    } while (0)

/* All products of a group; `group` steps behind what was read. Four inputs, then so many more that the rest is a multiple of
 * eight, or of 16 in groups of three, which rows of many inputs mostly are. */
#define BEGIN                                                         \
    const int32_t bias0 = w->pair->bias[0], bias1 = w->pair->bias[1]; \
    const uint32_t *weights = w->weights, *const end = w->end;        \
    uint32_t w0, w1
#define ALL_OF_FOUR              \
    do {                         \
        BEGIN;                   \
        FOUR(START);             \
        if (w->four) FOUR(ADD);  \
        while (weights != end) { \
            FOUR(ADD);           \
            FOUR(ADD);           \
        }                        \
    } while (0)
#define ALL_OF_THREE             \
    do {                         \
        BEGIN;                   \
        THREE(START);            \
        if (w->four) THREE(ADD); \
        if (w->eight) {          \
            THREE(ADD);          \
            THREE(ADD);          \
        }                        \
        while (weights != end) { \
            THREE(ADD);          \
            THREE(ADD);          \
            THREE(ADD);          \
            THREE(ADD);          \
        }                        \
    } while (0)

/* Some of a tile's sums, with any rounding. */
static void store_some(const work *w, const sums *tile, uint32_t columns, int8_t *output) {
    const edgeloop_convolution *layer = w->layer;
    for (uint32_t i = 0; i < 2 && w->channel + i < w->channels; i++) {
        const int32_t *from = i ? tile->second : tile->first;
        const int32_t multiplier = w->pair->multiplier[i], offset = w->pair->offset[i], right = w->pair->right[i];
        int8_t *to = output + i;
        for (uint32_t column = 0; column < columns; column++, to += w->channels) {
            if (layer->rounding == EDGELOOP_ROUND_EXACT) {
                *to = (int8_t)edgeloop_requantized(from[column], multiplier, -right, layer->output_zero_point, layer->low, layer->high);
            } else {
                *to = (int8_t)edgeloop_saturated(edgeloop_fast(from[column], multiplier, offset, right));
            }
        }
    }
}

/* What a tile yields in fast rounding, down the columns and up again. */
#define ROUNDED(sum)                                                                             \
    (int8_t)edgeloop_saturated(positive ? edgeloop_fast_positive(sum, multiplier, offset, right) \
                                        : edgeloop_fast(sum, multiplier, offset, right))
#define USE_SCALING(i) multiplier = w->pair->multiplier[i], offset = w->pair->offset[i], right = w->pair->right[i]

/* `count` groups of four columns, both channels, in fast rounding; gives where the next group lies. */
EDGELOOP_INLINE const uint32_t *fast_fours(const work *w, const uint32_t *group, uint32_t count, int8_t *output, uint32_t positive) {
    for (; count; count--) {
        int32_t a0, a1, a2, a3, b0, b1, b2, b3, multiplier, offset, right;
        uint32_t v0, v1;
        ALL_OF_FOUR;
        const uint32_t channels = w->channels;
        USE_SCALING(0);
        output[0] = ROUNDED(a0);
        output += channels;
        output[0] = ROUNDED(a1);
        output += channels;
        output[0] = ROUNDED(a2);
        output += channels;
        output[0] = ROUNDED(a3);
        USE_SCALING(1);
        output[1] = ROUNDED(b3);
        output -= channels;
        output[1] = ROUNDED(b2);
        output -= channels;
        output[1] = ROUNDED(b1);
        output -= channels;
        output[1] = ROUNDED(b0);
        output += 4 * channels;
    }
    return group;
}

/* Likewise of three columns. */
EDGELOOP_INLINE const uint32_t *fast_threes(const work *w, const uint32_t *group, uint32_t count, int8_t *output, uint32_t positive) {
    for (; count; count--) {
        int32_t a0, a1, a2, b0, b1, b2, multiplier, offset, right;
        EDGELOOP_THREE_WORDS(v0, v1, v2);
        ALL_OF_THREE;
        const uint32_t channels = w->channels;
        USE_SCALING(0);
        output[0] = ROUNDED(a0);
        output += channels;
        output[0] = ROUNDED(a1);
        output += channels;
        output[0] = ROUNDED(a2);
        USE_SCALING(1);
        output[1] = ROUNDED(b2);
        output -= channels;
        output[1] = ROUNDED(b1);
        output -= channels;
        output[1] = ROUNDED(b0);
        output += 3 * channels;
    }
    return group;
}

EDGELOOP_APART const uint32_t *fours(const work *w, const uint32_t *group, uint32_t count, int8_t *output) {
    return fast_fours(w, group, count, output, 0);
}

EDGELOOP_APART const uint32_t *positive_fours(const work *w, const uint32_t *group, uint32_t count, int8_t *output) {
    return fast_fours(w, group, count, output, 1);
}

EDGELOOP_APART const uint32_t *threes(const work *w, const uint32_t *group, uint32_t count, int8_t *output) {
    return fast_threes(w, group, count, output, 0);
}

EDGELOOP_APART const uint32_t *positive_threes(const work *w, const uint32_t *group, uint32_t count, int8_t *output) {
    return fast_threes(w, group, count, output, 1);
}

/* Any rounding, one channel or two: `columns` columns in groups of four, then of three. */
EDGELOOP_APART const uint32_t *any_groups(const work *w, const uint32_t *group, uint32_t fours, uint32_t columns, int8_t *output) {
    for (uint32_t size; columns; columns -= size) {
        sums tile;
        if (fours) {
            int32_t a0, a1, a2, a3, b0, b1, b2, b3;
            uint32_t v0, v1;
            ALL_OF_FOUR;
            tile = (sums){{a0, a1, a2, a3}, {b0, b1, b2, b3}};
            fours--;
            size = 4;
        } else {
            int32_t a0, a1, a2, b0, b1, b2;
            EDGELOOP_THREE_WORDS(v0, v1, v2);
            ALL_OF_THREE;
            tile = (sums){{a0, a1, a2, 0}, {b0, b1, b2, 0}};
            size = columns < 3 ? columns : 3;
        }
        store_some(w, &tile, size, output);
        output += size * w->channels;
    }
    return group;
}

typedef const uint32_t *groups_kernel(const work *w, const uint32_t *group, uint32_t count, int8_t *output);

/* A group that is not full is computed elsewhere; of its columns, the first ones are stored. */
static const uint32_t *rest_of_three(const work *w, groups_kernel *of_three, const uint32_t *group, int8_t *output) {
    int8_t all[3][2];
    work elsewhere = *w;
    elsewhere.channels = 2;
    group = of_three(&elsewhere, group, 1, all[0]);
    for (uint32_t column = 0; column < w->rest; column++, output += w->channels) {
        output[0] = all[column][0];
        output[1] = all[column][1];
    }
    return group;
}

/* All rows of groups for a pair of channels. */
EDGELOOP_INLINE void all_rows(const work *w, groups_kernel *of_four, groups_kernel *of_three, const uint32_t *group, int8_t *output) {
    for (uint32_t rows = w->rows; rows; rows--) {
        if (w->fours) group = of_four(w, group, w->fours, output);
        output += 4 * w->fours * w->channels;
        if (w->threes) group = of_three(w, group, w->threes, output);
        output += 3 * w->threes * w->channels;
        if (w->rest) group = rest_of_three(w, of_three, group, output);
        output += w->rest * w->channels;
    }
}

/* The same in any rounding, or for one channel. */
static void any_rows(const work *w, const uint32_t *group, int8_t *output) {
    for (uint32_t rows = w->rows; rows; rows--, output += w->columns * w->channels) {
        group = any_groups(w, group, w->fours, w->columns, output);
    }
}

static work work_of(const edgeloop_convolution *layer, uint32_t filled, uint32_t rows, uint32_t columns) {
    const edgeloop_cut cut = edgeloop_cut_of(columns);
    /* Rows of groups of one sort are one long row. */
    const uint32_t together = cut.threes == 0 || 3 * cut.threes == columns ? rows : 1;
    work w;
    w.layer = layer;
    w.channels = layer->output_channels;
    w.four = (filled - 4) & 4;
    w.eight = (filled - 4) & 8;
    w.fours = cut.fours * together;
    w.rows = rows / together;
    w.columns = columns * together;
    w.threes = (w.columns - 4 * w.fours) / 3;
    w.rest = w.columns - 4 * w.fours - 3 * w.threes;
    return w;
}

void edgeloop_multiply(const edgeloop_convolution *layer, uint32_t filled, const uint32_t *groups, edgeloop_channel_pair *pairs,
                       uint32_t ready, uint32_t rows, uint32_t columns, int8_t *output) {
    work w = work_of(layer, filled, rows, columns);
    const uint32_t positive = layer->rounding == EDGELOOP_ROUND_POSITIVE;
    groups_kernel *const of_four = positive ? positive_fours : fours, *const of_three = positive ? positive_threes : threes;
    for (w.channel = 0; w.channel < w.channels; w.channel += 2) {
        if (!ready) edgeloop_prepare_pair(layer, filled, w.channel, pairs);
        w.pair = pairs;
        EDGELOOP_WRITTEN(w.pair);
        EDGELOOP_WRITTEN(groups);
        w.weights = (const uint32_t *)(const void *)(w.pair + 1);
        w.end = w.weights + filled;
        if (layer->rounding == EDGELOOP_ROUND_EXACT || w.channel + 1 == w.channels) {
            any_rows(&w, groups, output + w.channel);
        } else {
            all_rows(&w, of_four, of_three, groups, output + w.channel);
        }
        if (ready) pairs = (edgeloop_channel_pair *)(void *)((uint32_t *)(void *)pairs + edgeloop_pair_words(filled));
    }
}

#endif
