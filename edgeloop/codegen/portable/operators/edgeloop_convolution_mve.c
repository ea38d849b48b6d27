/* CONV_2D with vectors: where columns do not lie in the input as they are needed, they are collected in the scratch memory, as int8. */
#include "edgeloop_convolution.h"
#include "edgeloop_mve_multiply.h"
#include "edgeloop_tile.h"

#if EDGELOOP_MVE

enum { BLOCK = 16, EARLY_3X9 = 8, RUN_3X9 = 9 };

typedef struct {
    const edgeloop_convolution *layer;
    const void *const *rows;
    uint32_t run;      /* bytes of one kernel row */
    uint32_t step;     /* bytes of a column, filled up */
    uint32_t complete; /* whether no row is missing */
    uint8_t flip;      /* what makes int8 of a stored value, by exclusive or */
} work;

EDGELOOP_INLINE uint8_t *copy_bytes(uint8_t *to, const uint8_t *from, uint32_t count, uint8_t flip) {
    const uint8x16_t flips = vdupq_n_u8(flip);
    for (; count >= BLOCK; count -= BLOCK, from += BLOCK, to += BLOCK) vstrbq_u8(to, veorq_u8(vldrbq_u8(from), flips));
    if (count) {
        const mve_pred16_t there = vctp8q(count);
        vstrbq_p_u8(to, veorq_u8(vldrbq_z_u8(from, there), flips), there);
    }
    return to + count;
}

static uint8_t *fill_bytes(uint8_t *to, uint8_t value, uint32_t count) {
    const uint8x16_t values = vdupq_n_u8(value);
    for (; count >= BLOCK; count -= BLOCK, to += BLOCK) vstrbq_u8(to, values);
    if (count) vstrbq_p_u8(to, values, vctp8q(count));
    return to + count;
}

EDGELOOP_INLINE uint32_t least(uint32_t one, uint32_t other) { return one < other ? one : other; }

/* The window that begins at an input column (which may be negative), row by row, with padding. */
static void collect(const work *w, int32_t first, uint8_t *to) {
    const edgeloop_convolution *layer = w->layer;
    const uint32_t channels = layer->input_channels, width = layer->kernel_width;
    const uint8_t fill = (uint8_t)((uint8_t)layer->input_zero_point ^ w->flip);
    const uint32_t before = first < 0 ? least((uint32_t)-first, width) : 0;
    const uint32_t start = (uint32_t)first + before; /* the first column that the input has */
    const uint32_t inside = start < layer->input_width ? least(layer->input_width - start, width - before) : 0;
    for (uint32_t ky = 0; ky < layer->kernel_height; ky++) {
        const uint8_t *row = w->rows[ky];
        const uint32_t copied = row != NULL ? inside : 0;
        if (before) to = fill_bytes(to, fill, before * channels);
        if (copied) to = copy_bytes(to, row + start * channels, copied * channels, w->flip);
        if (before + copied != width) to = fill_bytes(to, fill, (width - before - copied) * channels);
    }
}

/* The same of `count` columns where there is no padding, `offset` bytes behind the rows' beginnings. */
static void collect_inside(const work *w, uint32_t offset, uint32_t count, uint8_t *to) {
    const uint32_t advance = w->layer->stride_x * w->layer->input_channels;
    for (; count; count--, offset += advance, to += w->step) {
        uint8_t *at = to;
        for (uint32_t ky = 0; ky < w->layer->kernel_height; ky++)
            at = copy_bytes(at, (const uint8_t *)w->rows[ky] + offset, w->run, w->flip);
    }
}

/* 3x3 with three channels: eight values of each row, then the ninth ones. */
static void put_3x9(const uint8_t *first, const uint8_t *second, const uint8_t *third, const work *w, uint32_t count, uint8_t *to) {
    const uint32_t advance = w->layer->stride_x * w->layer->input_channels, step = w->step, flip = w->flip;
    const uint8x16_t flips = vdupq_n_u8(w->flip);
    const mve_pred16_t early = vctp8q(EARLY_3X9);
    for (; count; count--, first += advance, second += advance, third += advance, to += step) {
        vstrbq_p_u8(to, veorq_u8(vldrbq_z_u8(first, early), flips), early);
        vstrbq_p_u8(to + EARLY_3X9, veorq_u8(vldrbq_z_u8(second, early), flips), early);
        vstrbq_p_u8(to + 2 * EARLY_3X9, veorq_u8(vldrbq_z_u8(third, early), flips), early);
        to[3 * EARLY_3X9] = (uint8_t)(first[EARLY_3X9] ^ flip);
        to[3 * EARLY_3X9 + 1] = (uint8_t)(second[EARLY_3X9] ^ flip);
        to[3 * EARLY_3X9 + 2] = (uint8_t)(third[EARLY_3X9] ^ flip);
    }
}

/* A window with padding, whose values are flipped once, as they are put into their order. */
static void collect_3x9(const work *w, int32_t first, uint8_t *to) {
    uint8_t window[3 * RUN_3X9];
    work stored = *w;
    stored.flip = 0;
    collect(&stored, first, window);
    put_3x9(window, window + RUN_3X9, window + 2 * RUN_3X9, w, 1, to);
}

/* `count` columns of the output from `column` on. */
static void collect_columns(const work *w, uint32_t column, uint32_t count, uint8_t *to) {
    const edgeloop_convolution *layer = w->layer;
    const uint32_t ordered = edgeloop_is_3x9(layer), stride = layer->stride_x;
    int32_t first = (int32_t)(column * stride - layer->left);
    for (uint32_t done; count; count -= done, first += (int32_t)(stride * done), to += w->step * done) {
        const uint32_t offset = (uint32_t)first * layer->input_channels, end = (uint32_t)first + layer->kernel_width;
        if (!w->complete || first < 0 || end > layer->input_width) {
            done = 1;
            (ordered ? collect_3x9 : collect)(w, first, to);
            continue;
        }
        done = least(count, (layer->input_width - end) / stride + 1);
        if (ordered) {
            put_3x9((const uint8_t *)w->rows[0] + offset, (const uint8_t *)w->rows[1] + offset, (const uint8_t *)w->rows[2] + offset, w,
                    done, to);
        } else {
            collect_inside(w, offset, done, to);
        }
    }
}

static uint32_t is_complete(const edgeloop_convolution *layer, const void *const *rows) {
    for (uint32_t ky = 0; ky < layer->kernel_height; ky++) {
        if (rows[ky] == NULL) return 0;
    }
    return 1;
}

/* Whether each window is a run of int8 values in the input. */
static uint32_t lies_ready(const edgeloop_convolution *layer, const void *row) {
    const uint32_t end = (layer->output_width - 1) * layer->stride_x + layer->kernel_width;
    return layer->kernel_height == 1 && row != NULL && !layer->input_is_unsigned && layer->left == 0 && end <= layer->input_width;
}

void edgeloop_convolution_row(const edgeloop_convolution *layer, const void *const *rows, uint32_t columns, int8_t *output, void *scratch) {
    const uint32_t run = layer->kernel_width * layer->input_channels, inputs = layer->kernel_height * run;
    const uint32_t is_pointwise = layer->kernel_height * layer->kernel_width == 1 && layer->stride_x == 1;
    /* Such a window is called without a number of columns. The memory of others is for values of 16 bits, so it has room for twice as many. */
    const uint32_t at_once = is_pointwise ? layer->output_width : 2 * columns;
    const work w = {layer, rows, run, edgeloop_filled(inputs), is_complete(layer, rows), layer->input_is_unsigned ? 0x80 : 0};
    if (lies_ready(layer, rows[0])) {
        edgeloop_mve_multiply(layer, rows[0], layer->stride_x * layer->input_channels, inputs, layer->output_width, 0, output);
        return;
    }
    for (uint32_t column = 0; column < layer->output_width; column += at_once, output += at_once * layer->output_channels) {
        const uint32_t count = least(at_once, layer->output_width - column);
        collect_columns(&w, column, count, scratch);
        /* The scratch memory has room for values of 16 bits, and for a channel pair behind them. */
        edgeloop_mve_multiply(layer, scratch, w.step, inputs, count, 1, output);
    }
}

#endif
