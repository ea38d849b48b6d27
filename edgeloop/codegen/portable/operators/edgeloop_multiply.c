/* MUL, row by row. */
#include "edgeloop_multiply.h"

#include "edgeloop_fixed_point.h"

EDGELOOP_INLINE int32_t product_of(const edgeloop_multiply *layer, int32_t first, int32_t second) {
    const int32_t product = (first - layer->input_zero_point[0]) * (second - layer->input_zero_point[1]);
    return edgeloop_requantized(product, layer->multiplier, layer->shift, layer->output_zero_point, layer->low, layer->high);
}

void edgeloop_multiply_row(const edgeloop_multiply *layer, const int8_t *first, const int8_t *second, int8_t *output) {
    const edgeloop_multiply own = *layer; /* in registers, because outputs are written in between */
    for (uint32_t column = 0; column < own.columns; column++) {
        const int8_t *a = first + column * own.column_step[0];
        const int8_t *b = second + column * own.column_step[1];
        for (uint32_t i = 0; i < own.channels; i++, a += own.channel_step[0], b += own.channel_step[1]) {
            *output++ = (int8_t)product_of(&own, *a, *b);
        }
    }
}
