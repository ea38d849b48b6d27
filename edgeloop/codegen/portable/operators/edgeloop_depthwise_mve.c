/* DEPTHWISE_CONV_2D with vectors of eight channels: products of 16-bit values, whose sums are those of the channels of even number and of
 * odd number. Two columns at a time, which share the weights; padding is no part of any memory. */
#include "edgeloop_depthwise_groups.h"

#if EDGELOOP_MVE

enum { LANES = 8 };

/* Eight channels. Of each pair of vectors the first is for those of even number. */
typedef struct {
    const edgeloop_depthwise *layer;
    mve_pred16_t there; /* the channels that are there */
    int32x4_t bias[2];
    int32x4_t multiplier[2];
    int32x4_t left[2];
    int32x4_t right[2]; /* minus the shift to the right */
    int8_t padding[LANES];
    int8_t weights[EDGELOOP_MVE_MOST_TAPS * LANES]; /* [kernel row][kernel column][channel] */
} chunk;

typedef struct {
    int32x4_t even;
    int32x4_t odd;
} sums;

/* Those of channels that are not there are zero. */
static void prepare(const edgeloop_depthwise *layer, uint32_t channel, uint32_t channels, chunk *c) {
    const uint32_t taps = layer->kernel_height * layer->kernel_width;
    const uint16x8_t each = vmulq_n_u16(vidupq_n_u16(0, 1), (uint16_t)taps);
    const uint32x4_t second = vidupq_n_u32(0, 2);
    const int8_t *weights = layer->weights + channel * taps;
    c->layer = layer;
    c->there = vctp16q(channels);
    vstrbq_s16(c->padding, vdupq_n_s16((int16_t)layer->input_zero_point));
    for (uint32_t i = 0; i < 2; i++) {
        const uint32_t at = channel + i;
        const mve_pred16_t there = vctp32q((channels + 1 - i) / 2);
        const int32x4_t shift = vldrbq_gather_offset_z_s32(layer->shift + at, second, there), none = vdupq_n_s32(0);
        c->bias[i] = vldrwq_gather_shifted_offset_z_s32(layer->bias + at, second, there);
        c->multiplier[i] = vldrwq_gather_shifted_offset_z_s32(layer->multiplier + at, second, there);
        c->left[i] = vmaxq_s32(shift, none);
        c->right[i] = vminq_s32(shift, none);
    }
    for (uint32_t tap = 0; tap < taps; tap++) {
        vstrbq_s16(c->weights + LANES * tap, vldrbq_gather_offset_z_s16(weights + tap, each, c->there));
    }
}

EDGELOOP_INLINE void add(sums *s, int16x8_t values, int16x8_t weights) {
    s->even = vaddq_s32(s->even, vmullbq_int_s16(values, weights));
    s->odd = vaddq_s32(s->odd, vmulltq_int_s16(values, weights));
}

/* What 16 bits do not hold is clamped by any output's range. */
EDGELOOP_INLINE int16x8_t moved(const chunk *c, int32x4_t even, int32x4_t odd) {
    return vqaddq_n_s16(edgeloop_mve_in_turn(even, odd), (int16_t)c->layer->output_zero_point);
}

EDGELOOP_APART int16x8_t exact_results(const chunk *c, int32x4_t even, int32x4_t odd) {
    const edgeloop_depthwise *layer = c->layer;
    const int16x8_t any = moved(c, edgeloop_mve_scaled(even, c->multiplier[0], c->left[0], c->right[0]),
                                edgeloop_mve_scaled(odd, c->multiplier[1], c->left[1], c->right[1]));
    return vminq_s16(vmaxq_s16(any, vdupq_n_s16((int16_t)layer->low)), vdupq_n_s16((int16_t)layer->high));
}

EDGELOOP_INLINE int16x8_t results(const chunk *c, sums s) {
    const uint32_t rounding = c->layer->rounding;
    if (rounding == EDGELOOP_ROUND_EXACT) return exact_results(c, s.even, s.odd);
    s.even = vqrdmulhq_s32(s.even, c->multiplier[0]);
    s.odd = vqrdmulhq_s32(s.odd, c->multiplier[1]);
    if (rounding == EDGELOOP_ROUND_FAST) {
        s.even = edgeloop_mve_less(s.even);
        s.odd = edgeloop_mve_less(s.odd);
    }
    return edgeloop_mve_saturated(moved(c, vrshlq_s32(s.even, c->right[0]), vrshlq_s32(s.odd, c->right[1])));
}

/* A tap of a column whose window may reach into padding. */
EDGELOOP_INLINE void add_tap(sums *s, const chunk *c, uint32_t whole, const int8_t *x, const int8_t *weights) {
    add(s, whole ? vldrbq_s16(x) : vldrbq_z_s16(x, c->there), vldrbq_s16(weights));
}

/* `count` columns, of which the first one's window begins at this input column (which may be negative). `whole`: all eight channels
 * are there. */
EDGELOOP_INLINE void single_columns(const chunk *c, uint32_t whole, const int8_t *const *rows, uint32_t first, uint32_t channel,
                                    uint32_t count, int8_t *output) {
    const edgeloop_depthwise *layer = c->layer;
    const uint32_t channels = layer->channels, width = layer->input_width, height = layer->kernel_height;
    const int8_t *const padding = c->padding;
    for (; count; count--, first += layer->stride_x, output += channels) {
        const int8_t *weights = c->weights;
        const uintptr_t ahead = (uintptr_t)((intptr_t)(int32_t)first * (intptr_t)channels);
        const uint32_t in0 = first < width, in1 = first + 1 < width, in2 = first + 2 < width;
        sums s = {c->bias[0], c->bias[1]};
        for (uint32_t ky = 0; ky < height; ky++) {
            const uint32_t is_there = rows[ky] != NULL, step = is_there ? channels : 0;
            /* Before the row where the first columns are padding, which then are not read. */
            uintptr_t at = is_there ? (uintptr_t)rows[ky] + channel + ahead : (uintptr_t)padding;
            if (layer->kernel_width == 3) {
                add_tap(&s, c, whole, in0 ? (const int8_t *)at : padding, weights);
                add_tap(&s, c, whole, in1 ? (const int8_t *)(at + step) : padding, weights + LANES);
                add_tap(&s, c, whole, in2 ? (const int8_t *)(at + 2 * step) : padding, weights + 2 * LANES);
                weights += 3 * LANES;
            } else {
                for (uint32_t kx = 0; kx < layer->kernel_width; kx++, at += step, weights += LANES) {
                    add_tap(&s, c, whole, first + kx < width ? (const int8_t *)at : padding, weights);
                }
            }
        }
        if (whole) {
            vstrbq_s16(output, results(c, s));
        } else {
            vstrbq_p_s16(output, results(c, s), c->there);
        }
    }
}

#define TAP(number)                                                      \
    do {                                                                 \
        const int16x8_t w = vldrbq_s16(weights + LANES * (number));      \
        add(&one, vldrbq_s16(p), w);                                     \
        add(&other, vldrbq_s16(q), w);                                   \
        EDGELOOP_MVE_IN_ORDER(one.even, one.odd, other.even, other.odd); \
        p += step;                                                       \
        q += step;                                                       \
    } while (0)

/* Pairs of columns without padding at the left or right. `width` is a constant for windows of three columns. */
EDGELOOP_INLINE void column_pairs(const chunk *c, const int8_t *const *rows, uint32_t offset, uint32_t pairs, uint32_t width,
                                  int8_t *output) {
    const edgeloop_depthwise *layer = c->layer;
    const uint32_t channels = layer->channels, next = layer->stride_x * channels, height = layer->kernel_height;
    for (; pairs; pairs--, offset += 2 * next, output += 2 * channels) {
        const int8_t *weights = c->weights;
        sums one = {c->bias[0], c->bias[1]}, other = one;
        for (uint32_t ky = 0; ky < height; ky++, weights += width * LANES) {
            const uint32_t is_there = rows[ky] != NULL, step = is_there ? channels : 0;
            const int8_t *p = is_there ? rows[ky] + offset : c->padding, *q = is_there ? p + next : p;
            if (width == 3) {
                TAP(0);
                TAP(1);
                TAP(2);
            } else {
                for (uint32_t kx = 0; kx < width; kx++) TAP(kx);
            }
        }
        vstrbq_s16(output, results(c, one));
        vstrbq_s16(output + channels, results(c, other));
    }
}

EDGELOOP_APART void padded(const chunk *c, const int8_t *const *rows, uint32_t first, uint32_t channel, uint32_t count, int8_t *output) {
    single_columns(c, 1, rows, first, channel, count, output);
}

EDGELOOP_APART void some_channels(const chunk *c, const int8_t *const *rows, uint32_t first, uint32_t count, int8_t *output) {
    single_columns(c, 0, rows, first, 0, count, output);
}

EDGELOOP_APART void pairs_of_three(const chunk *c, const int8_t *const *rows, uint32_t offset, uint32_t pairs, int8_t *output) {
    column_pairs(c, rows, offset, pairs, 3, output);
}

EDGELOOP_APART void pairs_of_any(const chunk *c, const int8_t *const *rows, uint32_t offset, uint32_t pairs, int8_t *output) {
    column_pairs(c, rows, offset, pairs, c->layer->kernel_width, output);
}

/* Which columns of a row have padding. */
typedef struct {
    uint32_t before; /* so many of the first ones are computed one by one, */
    uint32_t pairs;  /* then so many pairs, */
    uint32_t after;  /* and the others one by one */
} cut;

static cut cut_of(const edgeloop_depthwise *layer) {
    const uint32_t columns = layer->output_width, stride = layer->stride_x, reach = layer->input_width + layer->left;
    const uint32_t gap = (layer->left + stride - 1) / stride; /* columns whose windows begin before the input, */
    const uint32_t fitting = reach < layer->kernel_width ? 0 : (reach - layer->kernel_width) / stride + 1; /* or end within it */
    const uint32_t end = fitting < columns ? fitting : columns;
    cut c = {columns, 0, 0};
    if (layer->channels >= LANES && gap < end) {
        c.before = gap;
        c.pairs = (end - gap) / 2;
        c.after = columns - gap - 2 * c.pairs;
    }
    return c;
}

/* Eight channels of an output row, or all where there are fewer. */
static void channels_of_row(const chunk *c, const cut *of, const int8_t *const *rows, uint32_t channel, int8_t *output) {
    const edgeloop_depthwise *layer = c->layer;
    const uint32_t channels = layer->channels, stride = layer->stride_x, inner = of->before + 2 * of->pairs;
    const uint32_t first = 0u - layer->left, offset = (first + of->before * stride) * channels + channel;
    if (channels < LANES) {
        some_channels(c, rows, first, of->before, output);
        return;
    }
    if (of->before) padded(c, rows, first, channel, of->before, output);
    if (of->pairs) (layer->kernel_width == 3 ? pairs_of_three : pairs_of_any)(c, rows, offset, of->pairs, output + of->before * channels);
    if (of->after) padded(c, rows, first + inner * stride, channel, of->after, output + inner * channels);
}

void edgeloop_mve_depthwise_rows(const edgeloop_depthwise *layer, uint32_t stride_y, const int8_t *const *rows, uint32_t count,
                                 int8_t *output) {
    const uint32_t channels = layer->channels, row_bytes = layer->output_width * channels;
    const uint32_t last = channels < LANES ? 0 : channels - LANES;
    const cut of = cut_of(layer);
    chunk c;
    for (uint32_t channel = 0, done = 0; done < channels; done += LANES) {
        /* The last eight are whole as well: what they share with those before them is computed twice. */
        channel = done < last ? done : last;
        prepare(layer, channel, channels < LANES ? channels : LANES, &c);
        for (uint32_t row = 0; row < count; row++) {
            channels_of_row(&c, &of, rows + row * stride_y, channel, output + row * row_bytes + channel);
        }
    }
}

#endif
