/* MEAN over height and width. */
#include "edgeloop_fixed_point.h"
#include "edgeloop_mean.h"

void edgeloop_mean_add_row(const edgeloop_mean *layer, const int8_t *input, int32_t *sums) {
    for (uint32_t column = 0; column < layer->width; column++) {
        for (uint32_t channel = 0; channel < layer->channels; channel++) sums[channel] += *input++;
    }
}

void edgeloop_mean_finish(const edgeloop_mean *layer, const int32_t *sums, int8_t *output) {
    for (uint32_t channel = 0; channel < layer->channels; channel++) {
        output[channel] = (int8_t)edgeloop_requantized(sums[channel] - layer->offset, layer->multiplier, layer->shift,
                                                       layer->output_zero_point, -128, 127);
    }
}
