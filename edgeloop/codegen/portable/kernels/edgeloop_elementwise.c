/* ADD, RELU, RELU6, QUANTIZE, DEQUANTIZE and PAD. */
#include "edgeloop_fixed_point.h"
#include "edgeloop_kernels.h"

/* Both inputs are shifted to the left by as much before they are scaled (reference/add.h). */
enum { ADD_LEFT_SHIFT = 20 };

static int32_t addend(const edgeloop_add *layer, uint32_t i, int32_t value) {
    const int32_t shifted = (value - layer->input_zero_point[i]) * (INT32_C(1) << ADD_LEFT_SHIFT);
    return edgeloop_scaled(shifted, layer->input_multiplier[i], layer->input_shift[i]);
}

void edgeloop_add_row(const edgeloop_add *layer, const int8_t *first, const int8_t *second, int8_t *output) {
    for (uint32_t i = 0; i < layer->count; i++) {
        const int32_t sum = edgeloop_wrapping_add(addend(layer, 0, first[i]), addend(layer, 1, second[i]));
        output[i] = (int8_t)edgeloop_requantized(sum, layer->output_multiplier, layer->output_shift, layer->output_zero_point, layer->low,
                                                 layer->high);
    }
}

void edgeloop_rescale_row(const edgeloop_rescale *layer, const void *input, void *output) {
    for (uint32_t i = 0; i < layer->count; i++) {
        const int32_t value = layer->input_is_unsigned ? ((const uint8_t *)input)[i] : ((const int8_t *)input)[i];
        const int32_t result = edgeloop_requantized(value - layer->input_zero_point, layer->multiplier, layer->shift,
                                                    layer->output_zero_point, layer->low, layer->high);
        if (layer->output_is_unsigned) {
            ((uint8_t *)output)[i] = (uint8_t)result;
        } else {
            ((int8_t *)output)[i] = (int8_t)result;
        }
    }
}

void edgeloop_dequantize_row(const edgeloop_dequantize *layer, const void *input, float *output) {
    for (uint32_t i = 0; i < layer->count; i++) {
        const int32_t value = layer->input_is_unsigned ? ((const uint8_t *)input)[i] : ((const int8_t *)input)[i];
        output[i] = (float)(layer->scale * (double)(value - layer->zero_point));
    }
}

void edgeloop_pad_row(const edgeloop_pad *layer, const int8_t *input, int8_t *output) {
    for (uint32_t column = 0; column < layer->output_width; column++) {
        const uint32_t from = column - layer->left; /* wraps at the left */
        for (uint32_t channel = 0; channel < layer->channels; channel++) {
            const uint32_t inside = input != NULL && from < layer->input_width;
            *output++ = inside ? input[from * layer->channels + channel] : (int8_t)layer->fill;
        }
    }
}
