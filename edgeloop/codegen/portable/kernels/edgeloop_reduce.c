/* FULLY_CONNECTED, MEAN and AVERAGE_POOL_2D. */
#include "edgeloop_dsp.h"
#include "edgeloop_kernels.h"

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

void edgeloop_mean_add_row(const edgeloop_mean *layer, const int8_t *input, int32_t *sums) {
    for (uint32_t column = 0; column < layer->width; column++) {
        for (uint32_t channel = 0; channel < layer->channels; channel++) sums[channel] += *input++;
    }
}

void edgeloop_mean_finish(const edgeloop_mean *layer, const int32_t *sums, int8_t *output) {
    for (uint32_t channel = 0; channel < layer->channels; channel++) {
        output[channel] = (int8_t)edgeloop_requantized(sums[channel] - layer->offset, layer->multiplier, layer->shift,
                                                       layer->output_zero_point, -128, 127);
    }
}

/* Rounded to the nearest, halves away from zero; 0 where the window sees nothing but padding. */
static int32_t average(int32_t sum, int32_t count) {
    if (count == 0) return 0;
    return sum > 0 ? (sum + count / 2) / count : (sum - count / 2) / count;
}

static int32_t pooled(const edgeloop_average_pool *layer, const int8_t *const *rows, uint32_t column, uint32_t channel) {
    const uint32_t first = column * layer->stride_x - layer->left;
    int32_t sum = 0;
    int32_t count = 0;
    for (uint32_t ky = 0; ky < layer->kernel_height; ky++) {
        for (uint32_t kx = 0; kx < layer->kernel_width; kx++) {
            const uint32_t at = first + kx; /* wraps below 0 */
            if (rows[ky] == NULL || at >= layer->input_width) continue;
            sum += rows[ky][at * layer->channels + channel];
            count++;
        }
    }
    return edgeloop_clamp(average(sum, count), layer->low, layer->high);
}

void edgeloop_average_pool_row(const edgeloop_average_pool *layer, const int8_t *const *rows, int8_t *output) {
    for (uint32_t column = 0; column < layer->output_width; column++) {
        for (uint32_t channel = 0; channel < layer->channels; channel++) *output++ = (int8_t)pooled(layer, rows, column, channel);
    }
}
