/* ADD and SUB, row by row. */
#include "edgeloop_add.h"

#include "edgeloop_dsp.h"
#include "edgeloop_mve.h"

/* Both inputs are shifted to the left by as much before they are scaled (reference/add.h). */
enum { ADD_LEFT_SHIFT = 20 };

/* A scaling whose shift is not to the left, as edgeloop_scaled takes it; in registers, because outputs are written in between. */
typedef struct {
    int32_t multiplier;
    int32_t half;     /* 2^(right - 1), 0 where right is 0 */
    int32_t negative; /* -1 where a negative value takes one less to round halves away from zero: all bits, none where right is 0 */
    int32_t right;
} scaling;

static scaling scaling_of(int32_t multiplier, int32_t shift) {
    const scaling result = {multiplier, shift < 0 ? INT32_C(1) << (-shift - 1) : 0, shift < 0 ? -1 : 0, -shift};
    return result;
}

/* value: its absolute value is below 2^30. */
EDGELOOP_INLINE int32_t scaled(int32_t value, const scaling *by) {
#if EDGELOOP_DSP
    const int32_t product = edgeloop_smmlar(value * 2, by->multiplier, 0);
#else
    const int32_t product = edgeloop_high_product(value, by->multiplier);
#endif
    return (product + by->half + ((product >> 31) & by->negative)) >> by->right;
}

#if EDGELOOP_MVE

enum { LANES = 8, EARLY_SHIFT = 4 };

/* `right` is minus the shift to the right, `away` 1 where that is not 0: so much is taken off negative products (edgeloop_mve.h). */
typedef struct {
    int32_t multiplier;
    int32_t right;
    int32_t away;
} vector_scaling;

static vector_scaling vector_scaling_of(int32_t multiplier, int32_t shift) {
    const vector_scaling result = {multiplier, shift, shift < 0};
    return result;
}

EDGELOOP_INLINE int32x4_t scaled_lanes(int32x4_t lanes, vector_scaling by) {
    const int32x4_t product = vqrdmulhq_n_s32(lanes, by.multiplier);
    return vrshlq_n_s32(vmlaq_n_s32(product, vshrq_n_s32(product, 31), by.away), by.right);
}

/* A run of both operands, value by value. */
static void add_run(const edgeloop_add *layer, const int8_t *first, const int8_t *second, int8_t *output) {
    const vector_scaling one = vector_scaling_of(layer->input_multiplier[0], layer->input_shift[0]);
    const vector_scaling other = vector_scaling_of(layer->input_multiplier[1], layer->input_shift[1]);
    const vector_scaling both = vector_scaling_of(layer->output_multiplier, layer->output_shift);
    const int16_t one_zero = (int16_t)layer->input_zero_point[0], other_zero = (int16_t)layer->input_zero_point[1];
    const int16_t zero = (int16_t)layer->output_zero_point;
    const int16x8_t low = vdupq_n_s16((int16_t)layer->low), high = vdupq_n_s16((int16_t)layer->high);
    const uint32_t count = layer->channels;
    for (uint32_t i = 0; i < count; i += LANES) {
        const mve_pred16_t there = vctp16q(count - i);
        /* Differences have nine bits, so the first part of the shift to the left has room in 16. */
        const int16x8_t a = vshlq_n_s16(vsubq_n_s16(vldrbq_z_s16(first + i, there), one_zero), EARLY_SHIFT);
        const int16x8_t b = vshlq_n_s16(vsubq_n_s16(vldrbq_z_s16(second + i, there), other_zero), EARLY_SHIFT);
        const int32x4_t even = vaddq_s32(scaled_lanes(vshllbq_n_s16(a, ADD_LEFT_SHIFT - EARLY_SHIFT), one),
                                         scaled_lanes(vshllbq_n_s16(b, ADD_LEFT_SHIFT - EARLY_SHIFT), other));
        const int32x4_t odd = vaddq_s32(scaled_lanes(vshlltq_n_s16(a, ADD_LEFT_SHIFT - EARLY_SHIFT), one),
                                        scaled_lanes(vshlltq_n_s16(b, ADD_LEFT_SHIFT - EARLY_SHIFT), other));
        /* What 16 bits do not hold is clamped by any output's range. */
        const int16x8_t sum = vqaddq_n_s16(edgeloop_mve_in_turn(scaled_lanes(even, both), scaled_lanes(odd, both)), zero);
        vstrbq_p_s16(output + i, vminq_s16(vmaxq_s16(sum, low), high), there);
    }
}

#elif EDGELOOP_DSP

/* Of half a value, by a multiplier that is not negative: the sign is that of the product, and where that is rounded to 0, one less
 * does not matter. `offset` has half a unit, and what is added to the result. */
typedef struct {
    int32_t multiplier;
    int32_t right;
    int32_t offset;
    int32_t negative; /* as in scaling */
} fast_scaling;

static fast_scaling fast_scaling_of(int32_t multiplier, int32_t shift, int32_t zero_point) {
    const fast_scaling result = {multiplier, -shift, shift < 0 ? edgeloop_fast_offset(zero_point, shift) : zero_point, shift < 0 ? -1 : 0};
    return result;
}

EDGELOOP_INLINE int32_t fast_scaled(const fast_scaling *s, int32_t doubled) {
    return edgeloop_smmlar(doubled, s->multiplier, edgeloop_wrapping_add(s->offset, doubled >> 31 & s->negative)) >> s->right;
}

/* Whether both operands are walked value by value, nothing is subtracted, and no offset leaves 32 bits. */
static uint32_t is_fast(const edgeloop_add *layer) {
    return layer->channel_step[0] == 1 && layer->channel_step[1] == 1 && layer->input_multiplier[0] >= 0 &&
           layer->input_multiplier[1] >= 0 && layer->output_shift < 0 && layer->output_shift >= -22;
}

static void add_fast(const edgeloop_add *layer, const int8_t *first, const int8_t *second, int8_t *output) {
    const fast_scaling one = fast_scaling_of(layer->input_multiplier[0], layer->input_shift[0], 0);
    const fast_scaling other = fast_scaling_of(layer->input_multiplier[1], layer->input_shift[1], 0);
    const fast_scaling out = fast_scaling_of(layer->output_multiplier, layer->output_shift, layer->output_zero_point);
    const int32_t one_zero = layer->input_zero_point[0], other_zero = layer->input_zero_point[1];
    for (uint32_t i = 0; i < layer->channels; i++) {
        const int32_t a = fast_scaled(&one, (first[i] - one_zero) * (INT32_C(2) << ADD_LEFT_SHIFT));
        const int32_t b = fast_scaled(&other, (second[i] - other_zero) * (INT32_C(2) << ADD_LEFT_SHIFT));
        output[i] = (int8_t)edgeloop_clamp(fast_scaled(&out, (a + b) * 2), layer->low, layer->high);
    }
}

#endif

void edgeloop_add_row(const edgeloop_add *layer, const int8_t *first, const int8_t *second, int8_t *output) {
#if EDGELOOP_MVE
    if (layer->channel_step[0] == 1 && layer->channel_step[1] == 1) {
        for (uint32_t column = 0; column < layer->columns; column++, output += layer->channels) {
            add_run(layer, first + column * layer->column_step[0], second + column * layer->column_step[1], output);
        }
        return;
    }
#elif EDGELOOP_DSP
    if (is_fast(layer)) {
        for (uint32_t column = 0; column < layer->columns; column++, output += layer->channels) {
            add_fast(layer, first + column * layer->column_step[0], second + column * layer->column_step[1], output);
        }
        return;
    }
#endif
    const scaling one = scaling_of(layer->input_multiplier[0], layer->input_shift[0]);
    const scaling other = scaling_of(layer->input_multiplier[1], layer->input_shift[1]);
    const scaling both = scaling_of(layer->output_multiplier, layer->output_shift);
    const edgeloop_add own = *layer;
    for (uint32_t column = 0; column < own.columns; column++) {
        const int8_t *a = first + column * own.column_step[0];
        const int8_t *b = second + column * own.column_step[1];
        for (uint32_t i = 0; i < own.channels; i++, a += own.channel_step[0], b += own.channel_step[1]) {
            const int32_t left = (*a - own.input_zero_point[0]) * (INT32_C(1) << ADD_LEFT_SHIFT);
            const int32_t right = (*b - own.input_zero_point[1]) * (INT32_C(1) << ADD_LEFT_SHIFT);
            const int32_t sum = scaled(scaled(left, &one) + scaled(right, &other), &both);
            *output++ = (int8_t)edgeloop_clamp(sum + own.output_zero_point, own.low, own.high);
        }
    }
}
