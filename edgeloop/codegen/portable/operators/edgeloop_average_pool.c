/* AVERAGE_POOL_2D, row by row. */
#include "edgeloop_average_pool.h"
#include "edgeloop_fixed_point.h"
#include "edgeloop_mve.h"

/* Rounded to the nearest, halves away from zero; 0 where the window sees nothing but padding. */
static int32_t average(int32_t sum, int32_t count) {
    if (count == 0) return 0;
    return sum > 0 ? (sum + count / 2) / count : (sum - count / 2) / count;
}

#if EDGELOOP_MVE

enum { LANES = 4 };

/* A few channels of an output column, whose window begins at `first` (which wraps below 0). */
static void pool(const edgeloop_average_pool *layer, const int8_t *const *rows, uint32_t first, uint32_t channel, int8_t *output) {
    const uint32_t channels = layer->channels, count = channels - channel < LANES ? channels - channel : LANES;
    const mve_pred16_t there = vctp32q(count);
    int32x4_t sum = vdupq_n_s32(0);
    int32_t summed = 0, sums[LANES];
    for (uint32_t ky = 0; ky < layer->kernel_height; ky++) {
        for (uint32_t at = first; rows[ky] != NULL && at != first + layer->kernel_width; at++) {
            if (at >= layer->input_width) continue;
            sum = vaddq_s32(sum, vldrbq_z_s32(rows[ky] + at * channels + channel, there));
            summed++;
        }
    }
    vst1q_s32(sums, sum);
    for (uint32_t i = 0; i < count; i++) output[i] = (int8_t)edgeloop_clamp(average(sums[i], summed), layer->low, layer->high);
}

void edgeloop_average_pool_row(const edgeloop_average_pool *layer, const int8_t *const *rows, int8_t *output) {
    for (uint32_t column = 0; column < layer->output_width; column++, output += layer->channels) {
        for (uint32_t channel = 0; channel < layer->channels; channel += LANES) {
            pool(layer, rows, column * layer->stride_x - layer->left, channel, output + channel);
        }
    }
}

#else

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

#endif
