/* PAD, row by row. */
#include "edgeloop_pad.h"

void edgeloop_pad_row(const edgeloop_pad *layer, const int8_t *input, int8_t *output) {
    for (uint32_t column = 0; column < layer->output_width; column++) {
        const uint32_t from = column - layer->left; /* wraps at the left */
        for (uint32_t channel = 0; channel < layer->channels; channel++) {
            const uint32_t inside = input != NULL && from < layer->input_width;
            *output++ = inside ? input[from * layer->channels + channel] : (int8_t)layer->fill;
        }
    }
}
