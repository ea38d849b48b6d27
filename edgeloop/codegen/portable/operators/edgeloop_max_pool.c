/* MAX_POOL_2D, row by row. */
#include "edgeloop_max_pool.h"

#include "edgeloop_fixed_point.h"

static int32_t largest(const edgeloop_max_pool *layer, const int8_t *const *rows, uint32_t column, uint32_t channel) {
    const uint32_t first = column * layer->stride_x - layer->left;
    int32_t result = -128;
    for (uint32_t ky = 0; ky < layer->kernel_height; ky++) {
        for (uint32_t kx = 0; kx < layer->kernel_width; kx++) {
            const uint32_t at = first + kx; /* wraps below 0 */
            if (rows[ky] == NULL || at >= layer->input_width) continue;
            const int32_t value = rows[ky][at * layer->channels + channel];
            result = value > result ? value : result;
        }
    }
    return edgeloop_clamp(result, layer->low, layer->high);
}

void edgeloop_max_pool_row(const edgeloop_max_pool *layer, const int8_t *const *rows, int8_t *output) {
    for (uint32_t column = 0; column < layer->output_width; column++) {
        for (uint32_t channel = 0; channel < layer->channels; channel++) *output++ = (int8_t)largest(layer, rows, column, channel);
    }
}
