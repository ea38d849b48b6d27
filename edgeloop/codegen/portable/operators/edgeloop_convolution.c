/* CONV_2D, row by row. */
#include "edgeloop_convolution.h"
#include "edgeloop_tile.h"

#if EDGELOOP_TILES

/* Up to this size the weights of all output channels are expanded once for a row (convolution.py: RESIDENT_WEIGHT_BYTES). */
enum { RESIDENT_WEIGHT_BYTES = 2048 };

/* What a row's computation needs to know, and where its scratch memory lies. */
typedef struct {
    const edgeloop_convolution *layer;
    const void *const *rows;
    uint32_t inputs;     /* of one output value */
    uint32_t filled;
    uint32_t run;        /* bytes of one kernel row */
    uint32_t resident; /* whether all weights are expanded */
    uint32_t complete; /* whether no row is missing */
    uint32_t *groups;
    uint32_t *pairs;     /* channel pairs with their weights: all, or one */
    uint8_t *window;     /* input rows under a group of columns, where some of it is padding */
} work;

EDGELOOP_INLINE void put4(uint32_t is_unsigned, uint32_t four, uint32_t *words, uint32_t step) {
    words[0] = is_unsigned ? edgeloop_uxtb16(four) : edgeloop_sxtb16(four);
    words[step] = is_unsigned ? edgeloop_uxtb16_high(four) : edgeloop_sxtb16_high(four);
}

/* A whole column of contiguous stored values; `step` is the number of columns in the group. */
EDGELOOP_INLINE void expand_run(uint32_t is_unsigned, const uint8_t *from, uint32_t inputs, uint32_t *words, uint32_t step) {
    for (; inputs >= 4; inputs -= 4, from += 4, words += 2 * step) put4(is_unsigned, edgeloop_load4(from), words, step);
    if (inputs) put4(is_unsigned, edgeloop_load_some(from, inputs), words, step);
}

/* A row of the input, or of the window, whose rows are `gathered` bytes long (0: the input's own). */
EDGELOOP_INLINE const uint8_t *row_at(const work *w, uint32_t gathered, uint32_t ky) {
    return gathered ? w->window + ky * gathered : (const uint8_t *)w->rows[ky];
}

EDGELOOP_INLINE void expand_3x9(uint32_t is_unsigned, const uint8_t *first, const uint8_t *second, const uint8_t *third, uint32_t *words,
                                uint32_t step) {
    put4(is_unsigned, edgeloop_load4(first), words, step);
    put4(is_unsigned, edgeloop_load4(first + 4), words + 2 * step, step);
    put4(is_unsigned, edgeloop_load4(second), words + 4 * step, step);
    put4(is_unsigned, edgeloop_load4(second + 4), words + 6 * step, step);
    put4(is_unsigned, edgeloop_load4(third), words + 8 * step, step);
    put4(is_unsigned, edgeloop_load4(third + 4), words + 10 * step, step);
    put4(is_unsigned, (uint32_t)first[8] | (uint32_t)second[8] << 8 | (uint32_t)third[8] << 16, words + 12 * step, step);
}

EDGELOOP_INLINE uint32_t least(uint32_t one, uint32_t other) { return one < other ? one : other; }

EDGELOOP_INLINE void store4(uint8_t *to, uint32_t word) { __builtin_memcpy(to, &word, 4); }

static uint8_t *fill_bytes(uint8_t *to, uint8_t value, uint32_t count) {
    for (; count >= 4; count -= 4, to += 4) store4(to, value * 0x01010101u);
    for (; count; count--) *to++ = value;
    return to;
}

static uint8_t *copy_bytes(uint8_t *to, const uint8_t *from, uint32_t count) {
    for (; count >= 4; count -= 4, to += 4, from += 4) store4(to, edgeloop_load4(from));
    for (; count; count--) *to++ = *from++;
    return to;
}

/* Input rows under `columns` input columns from `first` on (which may be negative), with padding, into the window. */
static void gather(const work *w, int32_t first, uint32_t columns) {
    const edgeloop_convolution *layer = w->layer;
    const uint32_t channels = layer->input_channels;
    const uint8_t fill = (uint8_t)layer->input_zero_point;
    const uint32_t before = first < 0 ? least((uint32_t)-first, columns) : 0;
    const uint32_t start = (uint32_t)first + before; /* the first column that the input has */
    const uint32_t inside = start < layer->input_width ? least(layer->input_width - start, columns - before) : 0;
    uint8_t *to = w->window;
    for (uint32_t ky = 0; ky < layer->kernel_height; ky++) {
        const uint8_t *row = w->rows[ky];
        const uint32_t copied = row != NULL ? inside : 0;
        to = fill_bytes(to, fill, before * channels);
        if (copied) to = copy_bytes(to, row + start * channels, copied * channels);
        to = fill_bytes(to, fill, (columns - before - copied) * channels);
    }
}

/* One column of any window, `offset` bytes behind the rows' beginnings. Words go on from row to row: where a row does not end with
 * one, what it lacks is the beginning of the next row. Rows of at least four bytes: */
EDGELOOP_INLINE void expand_any(const work *w, uint32_t is_unsigned, uint32_t gathered, uint32_t offset, uint32_t *words, uint32_t step) {
    const uint32_t run = w->run;
    uint32_t waiting = 0;
    uint32_t bits = 0; /* of it */
    for (uint32_t ky = 0; ky < w->layer->kernel_height; ky++) {
        const uint8_t *from = row_at(w, gathered, ky) + offset, *const end = from + run;
        if (bits) {
            put4(is_unsigned, waiting | edgeloop_load4(from) << bits, words, step);
            words += 2 * step;
            from += 4 - bits / 8;
        }
        for (; end - from >= 4; from += 4, words += 2 * step) put4(is_unsigned, edgeloop_load4(from), words, step);
        bits = 8 * (uint32_t)(end - from);
        if (bits) waiting = edgeloop_load4(end - 4) >> (32 - bits);
    }
    if (bits) put4(is_unsigned, waiting, words, step);
}

/* Shorter ones. */
EDGELOOP_INLINE void expand_short(const work *w, uint32_t is_unsigned, uint32_t gathered, uint32_t offset, uint32_t *words, uint32_t step) {
    uint32_t waiting = 0;
    uint32_t bits = 0;
    for (uint32_t ky = 0; ky < w->layer->kernel_height; ky++) {
        const uint8_t *from = row_at(w, gathered, ky) + offset;
        for (const uint8_t *end = from + w->run; from != end; from++) {
            waiting |= (uint32_t)*from << bits;
            bits += 8;
            if (bits == 32) {
                put4(is_unsigned, waiting, words, step);
                words += 2 * step;
                waiting = bits = 0;
            }
        }
    }
    if (bits) put4(is_unsigned, waiting, words, step);
}

/* `count` groups of `step` columns. */
#define EXPAND_GROUPS(name, expand, is_unsigned)                                                                                  \
    EDGELOOP_APART void name(const work *w, uint32_t gathered, uint32_t offset, uint32_t *group, uint32_t step, uint32_t count) { \
        const uint32_t advance = w->layer->stride_x * w->layer->input_channels;                                                   \
        for (; count; count--, group += w->filled / 2 * step) {                                                                   \
            for (uint32_t i = 0; i < step; i++, offset += advance) expand(w, is_unsigned, gathered, offset, group + i, step);     \
        }                                                                                                                         \
    }
EXPAND_GROUPS(signed_groups, expand_any, 0)
EXPAND_GROUPS(unsigned_groups, expand_any, 1)
EXPAND_GROUPS(short_signed_groups, expand_short, 0)
EXPAND_GROUPS(short_unsigned_groups, expand_short, 1)

static void expand_any_groups(const work *w, uint32_t gathered, uint32_t offset, uint32_t *group, uint32_t step, uint32_t count) {
    if (w->run < 4) {
        (w->layer->input_is_unsigned ? short_unsigned_groups : short_signed_groups)(w, gathered, offset, group, step, count);
    } else {
        (w->layer->input_is_unsigned ? unsigned_groups : signed_groups)(w, gathered, offset, group, step, count);
    }
}

/* The same for 3x3 with three channels. */
EDGELOOP_INLINE void expand_groups_3x9(const work *w, uint32_t is_unsigned, uint32_t gathered, uint32_t offset, uint32_t *group,
                                       uint32_t step, uint32_t count) {
    const uint32_t advance = w->layer->stride_x * w->layer->input_channels;
    const uint8_t *first = row_at(w, gathered, 0) + offset, *second = row_at(w, gathered, 1) + offset;
    const uint8_t *third = row_at(w, gathered, 2) + offset;
    for (; count; count--, group += 13 * step) {
        for (const uint32_t *end = group + step; group != end; group++, first += advance, second += advance, third += advance) {
            expand_3x9(is_unsigned, first, second, third, group, step);
        }
    }
}

static void expand_run_of_groups(const work *w, uint32_t gathered, uint32_t offset, uint32_t *group, uint32_t step, uint32_t count) {
    if (!edgeloop_is_3x9(w->layer)) {
        expand_any_groups(w, gathered, offset, group, step, count);
    } else if (!w->layer->input_is_unsigned) {
        expand_groups_3x9(w, 0, gathered, offset, group, step, count);
    } else if (step == 4) {
        expand_groups_3x9(w, 1, gathered, offset, group, 4, count);
    } else {
        expand_groups_3x9(w, 1, gathered, offset, group, 3, count);
    }
}

static uint32_t is_complete(const work *w) {
    for (uint32_t ky = 0; ky < w->layer->kernel_height; ky++) {
        if (w->rows[ky] == NULL) return 0;
    }
    return 1;
}

/* `count` groups of `step` columns, from `column` on; gives where the next group lies. Where windows of a group reach into
 * padding, they are gathered first. */
static uint32_t *expand_groups(const work *w, uint32_t column, uint32_t *group, uint32_t step, uint32_t count) {
    const edgeloop_convolution *layer = w->layer;
    const uint32_t span = (step - 1) * layer->stride_x + layer->kernel_width; /* input columns under a group */
    const uint32_t advance = step * layer->stride_x;
    int32_t first = (int32_t)(column * layer->stride_x - layer->left);
    for (uint32_t done; count; count -= done, first += (int32_t)(advance * done), group += w->filled / 2 * step * done) {
        const uint32_t is_inside = w->complete && first >= 0 && (uint32_t)first + span <= layer->input_width;
        if (is_inside) {
            done = least(count, (layer->input_width - span - (uint32_t)first) / advance + 1);
            expand_run_of_groups(w, 0, (uint32_t)first * layer->input_channels, group, step, done);
        } else {
            done = 1;
            gather(w, first, span);
            expand_run_of_groups(w, span * layer->input_channels, 0, group, step, 1);
        }
    }
    return group;
}

static void window_row(const edgeloop_convolution *layer, const void *const *rows, uint32_t most, int8_t *output, uint32_t *scratch) {
    work w = {layer, rows, 0, 0, 0, 0, 0, scratch, NULL, NULL};
    w.complete = is_complete(&w);
    const uint32_t pairs = (layer->output_channels + 1) / 2;
    w.run = layer->kernel_width * layer->input_channels;
    w.inputs = layer->kernel_height * w.run;
    w.filled = edgeloop_filled(w.inputs);
    const uint32_t pair_words = edgeloop_pair_words(w.filled);
    w.resident = pairs * pair_words * 4 <= RESIDENT_WEIGHT_BYTES;
    w.pairs = w.groups + most * w.filled / 2;
    w.window = (uint8_t *)(w.pairs + (w.resident ? pairs : 1) * pair_words);
    for (uint32_t pair = 0; w.resident && pair < pairs; pair++) {
        edgeloop_prepare_pair(layer, w.filled, 2 * pair, (edgeloop_channel_pair *)(void *)(w.pairs + pair * pair_words));
    }
    for (uint32_t column = 0; column < layer->output_width; column += most) {
        const uint32_t rest = layer->output_width - column;
        const uint32_t columns = rest < most ? rest : most;
        const edgeloop_cut cut = edgeloop_cut_of(columns);
        uint32_t *threes = expand_groups(&w, column, w.groups, 4, cut.fours);
        expand_groups(&w, column + 4 * cut.fours, threes, 3, cut.threes);
        edgeloop_multiply(layer, w.filled, w.groups, (edgeloop_channel_pair *)(void *)w.pairs, w.resident, 1, columns,
                          output + column * layer->output_channels);
    }
}

static void pointwise_row(const edgeloop_convolution *layer, const uint8_t *row, int8_t *output, uint32_t *scratch) {
    const uint32_t inputs = layer->input_channels;
    const uint32_t filled = edgeloop_filled(inputs);
    const edgeloop_cut cut = edgeloop_cut_of(layer->output_width);
    uint32_t *words = scratch;
    for (uint32_t column = 0, within = 0; column < layer->output_width; column++, row += inputs) {
        const uint32_t step = column < 4 * cut.fours ? 4 : 3;
        expand_run(layer->input_is_unsigned, row, inputs, words + within, step);
        if (++within == step) {
            words += filled / 2 * step;
            within = 0;
        }
    }
    edgeloop_channel_pair *pair = (edgeloop_channel_pair *)(void *)(scratch + edgeloop_row_words(filled, layer->output_width));
    edgeloop_multiply(layer, filled, scratch, pair, 0, 1, layer->output_width, output);
}

void edgeloop_convolution_row(const edgeloop_convolution *layer, const void *const *rows, uint32_t columns, int8_t *output, void *scratch) {
    const uint32_t window = layer->kernel_height * layer->kernel_width;
    /* Such a window has no padding. */
    if (window == 1 && layer->stride_x == 1) {
        pointwise_row(layer, rows[0], output, scratch);
    } else {
        window_row(layer, rows, columns, output, scratch);
    }
}

#elif !EDGELOOP_MVE

/* The stored value at a place of a row; outside it, and in a missing row, the input's zero point. */
EDGELOOP_INLINE int32_t value_at(const edgeloop_convolution *layer, const void *row, uint32_t column, uint32_t channel) {
    if (row == NULL || column >= layer->input_width) return layer->input_zero_point;
    const uint32_t place = column * layer->input_channels + channel;
    return layer->input_is_unsigned ? ((const uint8_t *)row)[place] : ((const int8_t *)row)[place];
}

/* Sums are taken in the order in which weights are stored, which for 3x3 with three channels leaves each row's last value to the end. */
static int32_t sum_at(const edgeloop_convolution *layer, const void *const *rows, uint32_t column, uint32_t channel) {
    const uint32_t run = layer->kernel_width * layer->input_channels;
    const uint32_t inputs = layer->kernel_height * run;
    const uint32_t early = edgeloop_is_3x9(layer) ? 8 : run;
    const int32_t *weights = layer->weights + channel / 2 * edgeloop_filled(inputs) / 2 + channel % 2;
    const uint32_t first = column * layer->stride_x - layer->left;
    int32_t sum = layer->bias[channel];
    for (uint32_t i = 0; i < inputs; i++) {
        const uint32_t is_late = i >= layer->kernel_height * early;
        const uint32_t ky = is_late ? i - layer->kernel_height * early : i / early;
        const uint32_t place = is_late ? early : i % early;
        const int32_t value = value_at(layer, rows[ky], first + place / layer->input_channels, place % layer->input_channels);
        const uint32_t weight = (uint32_t)weights[i / 4 * 2] >> (8 * (i % 4)) & 0xffu;
        sum = edgeloop_wrapping_add(sum, (int8_t)(uint8_t)weight * value);
    }
    return sum;
}

void edgeloop_convolution_row(const edgeloop_convolution *layer, const void *const *rows, uint32_t columns, int8_t *output, void *scratch) {
    (void)columns;
    (void)scratch;
    for (uint32_t column = 0; column < layer->output_width; column++) {
        for (uint32_t channel = 0; channel < layer->output_channels; channel++) {
            *output++ = (int8_t)edgeloop_requantized(sum_at(layer, rows, column, channel), layer->multiplier[channel],
                                                     layer->shift[channel], layer->output_zero_point, layer->low, layer->high);
        }
    }
}

#endif
