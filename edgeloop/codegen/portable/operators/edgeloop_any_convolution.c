/* Convolutions with groups, dilation or a depth multiplier, row by row, in plain C. */
#include "edgeloop_any_convolution.h"

#include "edgeloop_fixed_point.h"

/* One place of the window: the input channels of a group, or the zero point as often. */
static int32_t products(const int8_t *input, int32_t zero_point, const int8_t *weights, uint32_t count) {
    int32_t sum = 0;
    for (uint32_t i = 0; i < count; i++) sum = edgeloop_wrapping_add(sum, weights[i] * (input != NULL ? input[i] : zero_point));
    return sum;
}

static int32_t sum_at(const edgeloop_any_convolution *layer, const int8_t *const *rows, uint32_t column, uint32_t channel) {
    const uint32_t inputs = layer->group_inputs;
    const uint32_t first = column * layer->stride_x - layer->left;
    const uint32_t from = channel / layer->group_outputs * inputs;
    const int8_t *weights = layer->weights + channel * layer->kernel_height * layer->kernel_width * inputs;
    int32_t sum = layer->bias[channel];
    for (uint32_t ky = 0; ky < layer->kernel_height; ky++) {
        const int8_t *row = rows[ky * layer->dilation_y];
        for (uint32_t kx = 0; kx < layer->kernel_width; kx++, weights += inputs) {
            const uint32_t at = first + kx * layer->dilation_x; /* wraps below 0 */
            const int8_t *input = row != NULL && at < layer->input_width ? row + at * layer->input_channels + from : NULL;
            sum = edgeloop_wrapping_add(sum, products(input, layer->input_zero_point, weights, inputs));
        }
    }
    return sum;
}

void edgeloop_any_convolution_row(const edgeloop_any_convolution *layer, const int8_t *const *rows, int8_t *output) {
    for (uint32_t column = 0; column < layer->output_width; column++) {
        for (uint32_t channel = 0; channel < layer->output_channels; channel++) {
            *output++ = (int8_t)edgeloop_requantized(sum_at(layer, rows, column, channel), layer->multiplier[channel],
                                                     layer->shift[channel], layer->output_zero_point, layer->low, layer->high);
        }
    }
}
