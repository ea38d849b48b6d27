/* DEQUANTIZE, row by row. */
#include "edgeloop_dequantize.h"

void edgeloop_dequantize_row(const edgeloop_dequantize *layer, const void *input, float *output) {
    for (uint32_t i = 0; i < layer->count; i++) {
        const int32_t value = layer->input_is_unsigned ? ((const uint8_t *)input)[i] : ((const int8_t *)input)[i];
        output[i] = (float)(layer->scale * (double)(value - layer->zero_point));
    }
}
