/* DEPTHWISE_CONV_2D with vectors of eight channels: products of 16-bit values, whose sums are those of the channels of even number and of
 * odd number. Two columns at a time, which share the weights; padding is no part of any memory. */
#include "edgeloop_depthwise_groups.h"

#if EDGELOOP_MVE

enum { LANES = 8 };

/* Eight channels. Of each pair of vectors the first is for those of even number. */
typedef struct {
    const edgeloop_depthwise *layer;
    uint32_t exact;
    mve_pred16_t there; /* the channels that are there */
    int32x4_t bias[2];
    int32x4_t multiplier[2];
    int32x4_t left[2];
    int32x4_t right[2]; /* minus the shift to the right */
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
    c->exact = layer->rounding == EDGELOOP_ROUND_EXACT;
    c->there = vctp16q(channels);
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

EDGELOOP_INLINE void store(const chunk *c, sums s, int8_t *output) {
    const edgeloop_depthwise *layer = c->layer;
    int32x4_t even, odd;
    if (c->exact) {
        even = edgeloop_mve_scaled(s.even, c->multiplier[0], c->left[0], c->right[0]);
        odd = edgeloop_mve_scaled(s.odd, c->multiplier[1], c->left[1], c->right[1]);
    } else {
        even = edgeloop_mve_fast(s.even, c->multiplier[0], c->right[0]);
        odd = edgeloop_mve_fast(s.odd, c->multiplier[1], c->right[1]);
    }
    /* What 16 bits do not hold is clamped by any output's range. */
    const int16x8_t moved = vqaddq_n_s16(edgeloop_mve_in_turn(even, odd), (int16_t)layer->output_zero_point);
    const int16x8_t high = vdupq_n_s16((int16_t)layer->high), low = vdupq_n_s16((int16_t)layer->low);
    vstrbq_p_s16(output, vminq_s16(vmaxq_s16(moved, low), high), c->there);
}

/* Products of padding. */
EDGELOOP_INLINE const int8_t *pad(sums *s, const int8_t *weights, int16x8_t zero_point, uint32_t taps) {
    for (; taps; taps--, weights += LANES) add(s, zero_point, vldrbq_s16(weights));
    return weights;
}

/* The column whose window begins at this input column (which may be negative). */
static void one_column(const chunk *c, const int8_t *const *rows, int32_t first, uint32_t channel, int8_t *output) {
    const edgeloop_depthwise *layer = c->layer;
    const uint32_t width = layer->kernel_width, channels = layer->channels;
    const uint32_t gap = first < 0 ? (uint32_t)-first : 0, before = gap < width ? gap : width;
    const uint32_t start = (uint32_t)first + before; /* the first column that the input has */
    const uint32_t left = start < layer->input_width ? layer->input_width - start : 0;
    const uint32_t inside = left < width - before ? left : width - before;
    const int16x8_t zero_point = vdupq_n_s16((int16_t)layer->input_zero_point);
    const int8_t *weights = c->weights;
    sums s = {c->bias[0], c->bias[1]};
    for (uint32_t ky = 0; ky < layer->kernel_height; ky++) {
        if (rows[ky] == NULL) {
            weights = pad(&s, weights, zero_point, width);
            continue;
        }
        const int8_t *from = rows[ky] + start * channels + channel;
        weights = pad(&s, weights, zero_point, before);
        for (uint32_t kx = inside; kx; kx--, from += channels, weights += LANES) {
            add(&s, vldrbq_z_s16(from, c->there), vldrbq_s16(weights));
        }
        weights = pad(&s, weights, zero_point, width - before - inside);
    }
    store(c, s, output);
}

#define TAP(at)                                         \
    do {                                                \
        const int16x8_t w = vldrbq_s16(weights + (at)); \
        add(&one, vldrbq_z_s16(p, there), w);           \
        add(&other, vldrbq_z_s16(q, there), w);         \
        p += channels;                                  \
        q += channels;                                  \
    } while (0)

/* That one and the next, both without padding at the left or right. `width` is a constant for windows of three columns. */
EDGELOOP_INLINE void two_columns(const chunk *c, const int8_t *const *rows, uint32_t offset, uint32_t width, int8_t *output) {
    const edgeloop_depthwise *layer = c->layer;
    const uint32_t channels = layer->channels, next = layer->stride_x * channels;
    const mve_pred16_t there = c->there;
    const int8_t *weights = c->weights;
    sums one = {c->bias[0], c->bias[1]}, other = one;
    for (uint32_t ky = 0; ky < layer->kernel_height; ky++, weights += width * LANES) {
        if (rows[ky] == NULL) {
            sums padding = {vdupq_n_s32(0), vdupq_n_s32(0)};
            pad(&padding, weights, vdupq_n_s16((int16_t)layer->input_zero_point), width);
            one.even = vaddq_s32(one.even, padding.even), one.odd = vaddq_s32(one.odd, padding.odd);
            other.even = vaddq_s32(other.even, padding.even), other.odd = vaddq_s32(other.odd, padding.odd);
            continue;
        }
        const int8_t *p = rows[ky] + offset, *q = p + next;
        if (width == 3) {
            TAP(0);
            TAP(LANES);
            TAP(2 * LANES);
        } else {
            for (uint32_t kx = 0; kx < width; kx++) TAP(LANES * kx);
        }
    }
    store(c, one, output);
    store(c, other, output + channels);
}

static void two_of_three(const chunk *c, const int8_t *const *rows, uint32_t offset, int8_t *output) {
    two_columns(c, rows, offset, 3, output);
}

static void two_of_any(const chunk *c, const int8_t *const *rows, uint32_t offset, int8_t *output) {
    two_columns(c, rows, offset, c->layer->kernel_width, output);
}

/* Eight channels of an output row. */
static void channels_of_row(const chunk *c, const int8_t *const *rows, uint32_t channel, int8_t *output) {
    const edgeloop_depthwise *layer = c->layer;
    const uint32_t stride = layer->stride_x, channels = layer->channels;
    const uint32_t end = layer->input_width + 1 > layer->kernel_width ? layer->input_width + 1 - layer->kernel_width : 0;
    int32_t first = (int32_t)-layer->left;
    for (uint32_t column = 0; column < layer->output_width;) {
        const uint32_t taken = first >= 0 && (uint32_t)first + stride < end && column + 1 < layer->output_width ? 2 : 1;
        if (taken == 2) {
            const uint32_t offset = (uint32_t)first * channels + channel;
            (layer->kernel_width == 3 ? two_of_three : two_of_any)(c, rows, offset, output);
        } else {
            one_column(c, rows, first, channel, output);
        }
        first += (int32_t)(stride * taken);
        column += taken;
        output += channels * taken;
    }
}

void edgeloop_mve_depthwise_rows(const edgeloop_depthwise *layer, uint32_t stride_y, const int8_t *const *rows, uint32_t count,
                                 int8_t *output) {
    const uint32_t channels = layer->channels;
    for (uint32_t channel = 0; channel < channels; channel += LANES) {
        const uint32_t left = channels - channel;
        chunk c;
        prepare(layer, channel, left < LANES ? left : LANES, &c);
        for (uint32_t row = 0; row < count; row++) {
            channels_of_row(&c, rows + row * stride_y, channel, output + row * layer->output_width * channels + channel);
        }
    }
}

#endif
