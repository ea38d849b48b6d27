/* A depthwise layer and the 1x1 convolution behind it, in two halves. */
#include "edgeloop_separable.h"

#include "edgeloop_depthwise_groups.h"
#include "edgeloop_tile.h"

void edgeloop_depthwise_rows(const edgeloop_depthwise *layer, uint32_t stride_y, const int8_t *const *rows, uint32_t count,
                             int8_t *output) {
    for (uint32_t row = 0; row < count; row++) {
        edgeloop_depthwise_row(layer, rows + row * stride_y, output + row * layer->output_width * layer->channels);
    }
}

#if EDGELOOP_DSP

void edgeloop_separable_depthwise(const edgeloop_depthwise *depthwise, uint32_t stride_y, const int8_t *const *rows, uint32_t count,
                                  void *scratch) {
    edgeloop_depthwise_groups(depthwise, stride_y, rows, count, scratch);
}

void edgeloop_separable_pointwise(const edgeloop_depthwise *depthwise, const edgeloop_convolution *pointwise, uint32_t count,
                                  int8_t *output, void *scratch) {
    const uint32_t columns = count * depthwise->output_width;
    const uint32_t groups = (columns + EDGELOOP_COLUMNS - 1) / EDGELOOP_COLUMNS;
    uint32_t *behind = (uint32_t *)scratch + groups * edgeloop_group_words(edgeloop_filled(depthwise->channels));
    edgeloop_multiply_all(pointwise, depthwise->channels, scratch, (edgeloop_channel_pair *)(void *)behind, columns, output);
}

#else

void edgeloop_separable_depthwise(const edgeloop_depthwise *depthwise, uint32_t stride_y, const int8_t *const *rows, uint32_t count,
                                  void *scratch) {
    edgeloop_depthwise_rows(depthwise, stride_y, rows, count, scratch);
}

void edgeloop_separable_pointwise(const edgeloop_depthwise *depthwise, const edgeloop_convolution *pointwise, uint32_t count,
                                  int8_t *output, void *scratch) {
    const int8_t *between = scratch;
    for (uint32_t row = 0; row < count; row++) {
        const void *input[1];
        input[0] = between + row * depthwise->output_width * depthwise->channels;
        edgeloop_convolution_row(pointwise, input, output + row * pointwise->output_width * pointwise->output_channels, NULL);
    }
}

#endif
