/* CONV_2D, row by row. */
#include "edgeloop_convolution.h"
#include "edgeloop_tile.h"

#if EDGELOOP_DSP

enum {
    COLUMNS = EDGELOOP_COLUMNS,
    /* Up to this size the weights of all output channels are expanded once for a row (convolution.py: RESIDENT_WEIGHT_BYTES). */
    RESIDENT_WEIGHT_BYTES = 2048,
    /* Then, so many groups of columns are expanded before they are multiplied (convolution.py: GROUPS). */
    GROUPS = 4
};

/* What a row's computation needs to know, and where its scratch memory lies. */
typedef struct {
    const edgeloop_convolution *layer;
    const void *const *rows;
    uint32_t inputs;     /* of one output value */
    uint32_t filled;
    uint32_t run;        /* bytes of one kernel row */
    uint32_t span;       /* bytes of one input row under a group of columns */
    uint32_t resident;   /* whether all weights are expanded */
    uint32_t columns;    /* input columns under a group */
    uint32_t inside;     /* how many of a row's columns can be the first one under a group without any padding in its window */
    uint32_t *groups;
    uint32_t *pairs;     /* channel pairs with their weights: all, or one */
    uint8_t *window;     /* input rows under a group of columns, where some of it is padding */
} work;

EDGELOOP_INLINE void put4(uint32_t is_unsigned, uint32_t four, uint32_t *words) {
    words[0] = is_unsigned ? edgeloop_uxtb16(four) : edgeloop_sxtb16(four);
    words[COLUMNS] = is_unsigned ? edgeloop_uxtb16_high(four) : edgeloop_sxtb16_high(four);
}

/* A whole column of contiguous stored values. */
EDGELOOP_INLINE void expand_run(uint32_t is_unsigned, const uint8_t *from, uint32_t inputs, uint32_t *words) {
    for (; inputs >= 4; inputs -= 4, from += 4, words += 2 * COLUMNS) put4(is_unsigned, edgeloop_load4(from), words);
    if (inputs) put4(is_unsigned, edgeloop_load_some(from, inputs), words);
}

/* 3x3 with three channels, the usual first layer: the ninth bytes of the three rows share the last word. */
EDGELOOP_INLINE uint32_t is_3x9(const work *w) { return w->layer->kernel_height == 3 && w->run == 9; }

EDGELOOP_INLINE uint32_t ninths(const uint8_t *first, const uint8_t *second, const uint8_t *third) {
    return (uint32_t)first[8] | (uint32_t)second[8] << 8 | (uint32_t)third[8] << 16;
}

EDGELOOP_INLINE void expand_3x9(uint32_t is_unsigned, const uint8_t *first, const uint8_t *second, const uint8_t *third, uint32_t *words) {
    put4(is_unsigned, edgeloop_load4(first), words);
    put4(is_unsigned, edgeloop_load4(first + 4), words + 2 * COLUMNS);
    put4(is_unsigned, edgeloop_load4(second), words + 4 * COLUMNS);
    put4(is_unsigned, edgeloop_load4(second + 4), words + 6 * COLUMNS);
    put4(is_unsigned, edgeloop_load4(third), words + 8 * COLUMNS);
    put4(is_unsigned, edgeloop_load4(third + 4), words + 10 * COLUMNS);
    put4(is_unsigned, ninths(first, second, third), words + 12 * COLUMNS);
}

/* The weights of two output channels in the order of expand_3x9. */
static void expand_weights_3x9(const edgeloop_convolution *layer, uint32_t channel, uint32_t *words) {
    static const uint8_t places[6] = {0, 4, 9, 13, 18, 22};
    for (uint32_t i = 0; i < 2; i++) {
        const uint32_t o = channel + i < layer->output_channels ? channel + i : channel;
        const uint8_t *from = (const uint8_t *)layer->weights + o * 27;
        for (uint32_t k = 0; k < 7; k++) {
            const uint32_t four = k < 6 ? edgeloop_load4(from + places[k]) : ninths(from, from + 9, from + 18);
            words[4 * k + i] = edgeloop_sxtb16(four);
            words[4 * k + 2 + i] = edgeloop_sxtb16_high(four);
        }
    }
}

static void prepare_pair(const work *w, uint32_t channel, uint32_t *words) {
    uint32_t *weights = edgeloop_prepare_pair(w->layer, channel, (edgeloop_channel_pair *)(void *)words);
    if (is_3x9(w)) {
        expand_weights_3x9(w->layer, channel, weights);
    } else {
        edgeloop_expand_weights(w->layer, w->inputs, channel, weights);
    }
}

/* Input rows under a group of columns, with padding, into the window. `first` wraps below 0. */
static void gather(const work *w, uint32_t first) {
    const uint32_t channels = w->layer->input_channels;
    const uint32_t width = w->layer->input_width;
    const uint8_t fill = (uint8_t)w->layer->input_zero_point;
    const uint32_t end = first + w->columns;
    uint8_t *to = w->window;
    for (uint32_t ky = 0; ky < w->layer->kernel_height; ky++) {
        const uint8_t *row = w->rows[ky];
        for (uint32_t column = first; column != end; column++) {
            const uint8_t *from = row != NULL && column < width ? row + column * channels : NULL;
            for (uint32_t i = 0; i < channels; i++) *to++ = from != NULL ? from[i] : fill;
        }
    }
}

/* One column of any window: its rows lie in the gathered window, or are the input's own. */
static void expand_any(const work *w, uint32_t gathered, uint32_t offset, uint32_t *words) {
    const uint32_t is_unsigned = w->layer->input_is_unsigned;
    uint32_t waiting = 0;
    uint32_t count = 0;
    for (uint32_t ky = 0; ky < w->layer->kernel_height; ky++) {
        const uint8_t *from = gathered ? w->window + ky * w->span + offset : (const uint8_t *)w->rows[ky] + offset;
        uint32_t left = w->run;
        for (; count == 0 && left >= 4; left -= 4, from += 4, words += 2 * COLUMNS) put4(is_unsigned, edgeloop_load4(from), words);
        for (; left; left--) {
            waiting |= (uint32_t)*from++ << (8 * count);
            if (++count == 4) {
                put4(is_unsigned, waiting, words);
                words += 2 * COLUMNS;
                waiting = count = 0;
            }
        }
    }
    if (count) put4(is_unsigned, waiting, words);
}

static void expand_group(const work *w, uint32_t gathered, uint32_t offset, uint32_t *group) {
    const uint32_t step = w->layer->stride_x * w->layer->input_channels;
    if (!is_3x9(w)) {
        for (uint32_t i = 0; i < COLUMNS; i++) expand_any(w, gathered, offset + i * step, group + i);
        return;
    }
    const uint8_t *first = gathered ? w->window : (const uint8_t *)w->rows[0] + offset;
    const uint8_t *second = gathered ? first + w->span : (const uint8_t *)w->rows[1] + offset;
    const uint8_t *third = gathered ? second + w->span : (const uint8_t *)w->rows[2] + offset;
    if (w->layer->input_is_unsigned) {
        for (uint32_t i = 0; i < COLUMNS; i++) expand_3x9(1, first + i * step, second + i * step, third + i * step, group + i);
    } else {
        for (uint32_t i = 0; i < COLUMNS; i++) expand_3x9(0, first + i * step, second + i * step, third + i * step, group + i);
    }
}

/* Expand the groups of columns from `column` on. */
static void expand_groups(const work *w, uint32_t column, uint32_t columns) {
    const edgeloop_convolution *layer = w->layer;
    uint32_t *group = w->groups;
    for (uint32_t done = 0; done < columns; done += COLUMNS, group += edgeloop_group_words(w->filled)) {
        /* Wraps at the left; then, or where the group's window ends behind the row, some of it is padding. */
        const uint32_t first = (column + done) * layer->stride_x - layer->left;
        const uint32_t gathered = first >= w->inside;
        if (gathered) gather(w, first);
        expand_group(w, gathered, gathered ? 0 : first * layer->input_channels, group);
    }
}

static void multiply_groups(const work *w, uint32_t columns, int8_t *output) {
    const edgeloop_convolution *layer = w->layer;
    const uint32_t *groups = w->groups;
    uint32_t *words = w->pairs;
    for (uint32_t channel = 0; channel < layer->output_channels; channel += 2) {
        if (!w->resident) prepare_pair(w, channel, words);
        const edgeloop_channel_pair *pair = (const edgeloop_channel_pair *)(void *)words;
        EDGELOOP_WRITTEN(pair);
        EDGELOOP_WRITTEN(groups);
        edgeloop_multiply(layer, w->filled, groups, pair, channel, columns, output);
        if (w->resident) words += edgeloop_pair_words(w->filled);
    }
}

static uint32_t is_complete(const work *w) {
    for (uint32_t ky = 0; ky < w->layer->kernel_height; ky++) {
        if (w->rows[ky] == NULL) return 0;
    }
    return 1;
}

static void window_row(const edgeloop_convolution *layer, const void *const *rows, int8_t *output, uint32_t *scratch) {
    work w = {layer, rows, 0, 0, 0, 0, 0, 0, 0, scratch, NULL, NULL};
    const uint32_t pairs = (layer->output_channels + 1) / 2;
    w.run = layer->kernel_width * layer->input_channels;
    w.inputs = layer->kernel_height * w.run;
    w.filled = edgeloop_filled(w.inputs);
    w.columns = (COLUMNS - 1) * layer->stride_x + layer->kernel_width;
    w.span = w.columns * layer->input_channels;
    w.inside = is_complete(&w) && w.columns <= layer->input_width ? layer->input_width - w.columns + 1 : 0;
    const uint32_t pair_words = edgeloop_pair_words(w.filled);
    w.resident = pairs * pair_words * 4 <= RESIDENT_WEIGHT_BYTES;
    const uint32_t groups = w.resident ? GROUPS : 1;
    w.pairs = w.groups + groups * edgeloop_group_words(w.filled);
    w.window = (uint8_t *)(w.pairs + (w.resident ? pairs : 1) * pair_words);
    for (uint32_t pair = 0; w.resident && pair < pairs; pair++) prepare_pair(&w, 2 * pair, w.pairs + pair * pair_words);
    for (uint32_t column = 0; column < layer->output_width; column += groups * COLUMNS) {
        const uint32_t rest = layer->output_width - column;
        const uint32_t columns = rest < groups * COLUMNS ? rest : groups * COLUMNS;
        expand_groups(&w, column, columns);
        multiply_groups(&w, columns, output + column * layer->output_channels);
    }
}

static void pointwise_row(const edgeloop_convolution *layer, const uint8_t *row, int8_t *output, uint32_t *scratch) {
    const uint32_t inputs = layer->input_channels;
    const uint32_t group_words = edgeloop_group_words(edgeloop_filled(inputs));
    const uint32_t groups = (layer->output_width + COLUMNS - 1) / COLUMNS;
    for (uint32_t column = 0; column < layer->output_width; column++) {
        uint32_t *words = scratch + column / COLUMNS * group_words + column % COLUMNS;
        expand_run(layer->input_is_unsigned, row + column * inputs, inputs, words);
    }
    edgeloop_channel_pair *pair = (edgeloop_channel_pair *)(void *)(scratch + groups * group_words);
    edgeloop_multiply_all(layer, inputs, scratch, pair, layer->output_width, output);
}

void edgeloop_convolution_row(const edgeloop_convolution *layer, const void *const *rows, int8_t *output, void *scratch) {
    const uint32_t window = layer->kernel_height * layer->kernel_width;
    /* Such a window has no padding. */
    if (window == 1 && layer->stride_x == 1) {
        pointwise_row(layer, rows[0], output, scratch);
    } else {
        window_row(layer, rows, output, scratch);
    }
}

#else

/* The stored value at a place of a row; outside it, and in a missing row, the input's zero point. */
EDGELOOP_INLINE int32_t value_at(const edgeloop_convolution *layer, const void *row, uint32_t column, uint32_t channel) {
    if (row == NULL || column >= layer->input_width) return layer->input_zero_point;
    const uint32_t place = column * layer->input_channels + channel;
    return layer->input_is_unsigned ? ((const uint8_t *)row)[place] : ((const int8_t *)row)[place];
}

static int32_t sum_at(const edgeloop_convolution *layer, const void *const *rows, uint32_t column, uint32_t channel) {
    const int8_t *weights = layer->weights + channel * layer->kernel_height * layer->kernel_width * layer->input_channels;
    const uint32_t first = column * layer->stride_x - layer->left;
    int32_t sum = layer->bias[channel];
    for (uint32_t ky = 0; ky < layer->kernel_height; ky++) {
        for (uint32_t kx = 0; kx < layer->kernel_width; kx++) {
            for (uint32_t i = 0; i < layer->input_channels; i++) {
                sum = edgeloop_wrapping_add(sum, *weights++ * value_at(layer, rows[ky], first + kx, i));
            }
        }
    }
    return sum;
}

void edgeloop_convolution_row(const edgeloop_convolution *layer, const void *const *rows, int8_t *output, void *scratch) {
    (void)scratch;
    for (uint32_t column = 0; column < layer->output_width; column++) {
        for (uint32_t channel = 0; channel < layer->output_channels; channel++) {
            *output++ = (int8_t)edgeloop_requantized(sum_at(layer, rows, column, channel), layer->multiplier[channel],
                                                     layer->shift[channel], layer->output_zero_point, layer->low, layer->high);
        }
    }
}

#endif
