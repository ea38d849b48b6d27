/* PRELU, row by row. */
#include "edgeloop_prelu.h"

#include "edgeloop_fixed_point.h"

EDGELOOP_INLINE int32_t rectified(const edgeloop_prelu *layer, int32_t value, int32_t alpha) {
    const int32_t centred = value - layer->input_zero_point[0];
    const uint32_t i = centred < 0;
    const int32_t real = i ? centred * (alpha - layer->input_zero_point[1]) : centred;
    return edgeloop_requantized(real, layer->multiplier[i], layer->shift[i], layer->output_zero_point, -128, 127);
}

void edgeloop_prelu_row(const edgeloop_prelu *layer, const int8_t *first, const int8_t *second, int8_t *output) {
    const edgeloop_prelu own = *layer; /* in registers, because outputs are written in between */
    for (uint32_t column = 0; column < own.columns; column++) {
        const int8_t *a = first + column * own.column_step[0];
        const int8_t *b = second + column * own.column_step[1];
        for (uint32_t i = 0; i < own.channels; i++, a += own.channel_step[0], b += own.channel_step[1]) {
            *output++ = (int8_t)rectified(&own, *a, *b);
        }
    }
}
