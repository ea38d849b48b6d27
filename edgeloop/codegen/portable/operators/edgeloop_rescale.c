/* RELU, RELU6 and QUANTIZE, row by row. */
#include "edgeloop_fixed_point.h"
#include "edgeloop_rescale.h"

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
