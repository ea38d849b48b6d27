/* A depthwise layer and the 1x1 convolution behind it, in two halves. */
#include "edgeloop_separable.h"

#include "edgeloop_depthwise_groups.h"
#include "edgeloop_mve_multiply.h"
#include "edgeloop_tile.h"

#if EDGELOOP_TILES

void edgeloop_separable_depthwise(const edgeloop_depthwise *depthwise, uint32_t stride_y, const int8_t *const *rows, uint32_t count,
                                  uint32_t scratch_bytes, void *scratch) {
    edgeloop_depthwise_groups(depthwise, stride_y, rows, count, scratch_bytes, scratch);
}

void edgeloop_separable_pointwise(const edgeloop_depthwise *depthwise, const edgeloop_convolution *pointwise, uint32_t count,
                                  int8_t *output, void *scratch) {
    const uint32_t filled = edgeloop_filled(depthwise->channels), columns = depthwise->output_width;
    edgeloop_channel_pair *pair = (edgeloop_channel_pair *)(void *)((uint32_t *)scratch + count * edgeloop_row_words(filled, columns));
    edgeloop_multiply(pointwise, filled, scratch, pair, 0, count, columns, output);
}

#else

void edgeloop_separable_depthwise(const edgeloop_depthwise *depthwise, uint32_t stride_y, const int8_t *const *rows, uint32_t count,
                                  uint32_t scratch_bytes, void *scratch) {
    edgeloop_depthwise_rows(depthwise, stride_y, rows, count, scratch, scratch_bytes, NULL);
}

void edgeloop_separable_pointwise(const edgeloop_depthwise *depthwise, const edgeloop_convolution *pointwise, uint32_t count,
                                  int8_t *output, void *scratch) {
    const int8_t *between = scratch;
#if EDGELOOP_MVE
    /* Behind the values, which the scratch memory has room for as 16 bits, are as many bytes of it, and a channel pair. */
    edgeloop_mve_multiply(pointwise, between, depthwise->channels, depthwise->channels, count * depthwise->output_width, 1, output);
#else
    for (uint32_t row = 0; row < count; row++) {
        const void *input[1];
        input[0] = between + row * depthwise->output_width * depthwise->channels;
        edgeloop_convolution_row(pointwise, input, 0, output + row * pointwise->output_width * pointwise->output_channels, NULL);
    }
#endif
}

#endif
