/* Parts of a value, row by row. */
#include "edgeloop_slice.h"

void edgeloop_slice_row(const edgeloop_slice *layer, const int8_t *input, int8_t *output) {
    for (uint32_t column = 0; column < layer->columns; column++) {
        const int8_t *from = input + layer->first + column * layer->column_step;
        for (uint32_t i = 0; i < layer->channels; i++) *output++ = from[i * layer->channel_step];
    }
}
