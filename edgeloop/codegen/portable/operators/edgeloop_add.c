/* ADD, row by row. */
#include "edgeloop_add.h"

#include "edgeloop_dsp.h"
#include "edgeloop_fixed_point.h"

/* Both inputs are shifted to the left by as much before they are scaled (reference/add.h). */
enum { ADD_LEFT_SHIFT = 20 };

static int32_t addend(const edgeloop_add *layer, uint32_t i, int32_t value) {
    const int32_t shifted = (value - layer->input_zero_point[i]) * (INT32_C(1) << ADD_LEFT_SHIFT);
    return edgeloop_scaled(shifted, layer->input_multiplier[i], layer->input_shift[i]);
}

#if EDGELOOP_DSP

/* A scaling whose shift goes to the right, rounded as edgeloop_rounded_shift does: halves away from zero. */
typedef struct {
    int32_t multiplier;
    int32_t right;
    int32_t offset;  /* half a unit, and the zero point */
    int32_t negative; /* all bits where a negative value is to be rounded down by one: unless nothing is shifted out */
} scaling;

static scaling scaling_of(int32_t multiplier, int32_t shift, int32_t zero_point) {
    const scaling result = {multiplier, -shift, shift < 0 ? edgeloop_fast_offset(zero_point, shift) : zero_point, shift < 0 ? -1 : 0};
    return result;
}

/* Of half a value: its sign is that of the product, and where that is rounded to 0, one less does not matter. */
EDGELOOP_INLINE int32_t scaled(const scaling *s, int32_t doubled) {
    return edgeloop_smmlar(doubled, s->multiplier, edgeloop_wrapping_add(s->offset, doubled >> 31 & s->negative)) >> s->right;
}

/* Whether nothing leaves 32 bits: the sum of two addends is below 2^30 where neither is scaled up. */
static uint32_t is_fast(const edgeloop_add *layer) {
    return layer->input_shift[0] <= 0 && layer->input_shift[1] <= 0 && layer->output_shift < 0 && layer->output_shift >= -22;
}

static void add_fast(const edgeloop_add *layer, const int8_t *first, const int8_t *second, int8_t *output) {
    const scaling one = scaling_of(layer->input_multiplier[0], layer->input_shift[0], 0);
    const scaling other = scaling_of(layer->input_multiplier[1], layer->input_shift[1], 0);
    const scaling out = scaling_of(layer->output_multiplier, layer->output_shift, layer->output_zero_point);
    const int32_t one_zero = layer->input_zero_point[0], other_zero = layer->input_zero_point[1];
    for (uint32_t i = 0; i < layer->count; i++) {
        const int32_t a = scaled(&one, (first[i] - one_zero) * (INT32_C(2) << ADD_LEFT_SHIFT));
        const int32_t b = scaled(&other, (second[i] - other_zero) * (INT32_C(2) << ADD_LEFT_SHIFT));
        output[i] = (int8_t)edgeloop_clamp(scaled(&out, (a + b) * 2), layer->low, layer->high);
    }
}

#endif

void edgeloop_add_row(const edgeloop_add *layer, const int8_t *first, const int8_t *second, int8_t *output) {
#if EDGELOOP_DSP
    if (is_fast(layer)) {
        add_fast(layer, first, second, output);
        return;
    }
#endif
    for (uint32_t i = 0; i < layer->count; i++) {
        const int32_t sum = edgeloop_wrapping_add(addend(layer, 0, first[i]), addend(layer, 1, second[i]));
        output[i] = (int8_t)edgeloop_requantized(sum, layer->output_multiplier, layer->output_shift, layer->output_zero_point, layer->low,
                                                 layer->high);
    }
}
