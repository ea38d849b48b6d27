/* FULLY_CONNECTED on one vector. */
#include "edgeloop_dense.h"
#include "edgeloop_dsp.h"
#include "edgeloop_mve.h"

#if EDGELOOP_MVE

static int32_t dot(const int8_t *weights, const int8_t *input, uint32_t count, int32_t sum) {
    for (; count >= 16; count -= 16, weights += 16, input += 16) sum = vmladavaq_s8(sum, vldrbq_s8(weights), vldrbq_s8(input));
    const mve_pred16_t there = vctp8q(count);
    return vmladavaq_s8(sum, vldrbq_z_s8(weights, there), vldrbq_z_s8(input, there));
}

#else

static int32_t dot(const int8_t *weights, const int8_t *input, uint32_t count, int32_t sum) {
#if EDGELOOP_DSP
    for (; count >= 4; count -= 4, weights += 4, input += 4) {
        const uint32_t w = edgeloop_load4(weights);
        const uint32_t v = edgeloop_load4(input);
        sum = edgeloop_smlad(edgeloop_sxtb16(w), edgeloop_sxtb16(v), sum);
        sum = edgeloop_smlad(edgeloop_sxtb16_high(w), edgeloop_sxtb16_high(v), sum);
    }
#endif
    for (uint32_t i = 0; i < count; i++) sum = edgeloop_wrapping_add(sum, weights[i] * input[i]);
    return sum;
}

#endif

/* round(sum * factor), halves away from zero. What lies beyond the limit is clamped by any output's range. */
static int32_t scaled_in_double(int32_t sum, double factor) {
    const double limit = 1 << 20;
    const double real = (double)sum * factor;
    const double near = real > limit ? limit : real < -limit ? -limit : real;
    const int32_t whole = (int32_t)near;
    const double rest = near - (double)whole;
    return rest >= 0.5 ? whole + 1 : rest <= -0.5 ? whole - 1 : whole;
}

void edgeloop_dense_row(const edgeloop_dense *layer, const int8_t *input, int8_t *output) {
    const int8_t *weights = layer->weights;
    for (uint32_t o = 0; o < layer->outputs; o++, weights += layer->inputs) {
        const int32_t sum = dot(weights, input, layer->inputs, layer->bias[o]);
        const int32_t scaled = scaled_in_double(sum, layer->factor[o]);
        output[o] = (int8_t)edgeloop_clamp(scaled + layer->output_zero_point, layer->low, layer->high);
    }
}
