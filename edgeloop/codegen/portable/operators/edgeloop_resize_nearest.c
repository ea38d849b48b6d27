/* RESIZE_NEAREST_NEIGHBOR, row by row. */
#include "edgeloop_resize_nearest.h"

void edgeloop_resize_nearest_row(const edgeloop_resize_nearest *layer, const int8_t *input, int8_t *output) {
    for (uint32_t column = 0; column < layer->output_width; column++) {
        const int8_t *from = input + (uint32_t)layer->columns[column] * layer->channels;
        for (uint32_t channel = 0; channel < layer->channels; channel++) *output++ = from[channel];
    }
}
