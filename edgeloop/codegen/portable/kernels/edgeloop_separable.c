/* A depthwise layer and the 1x1 convolution behind it. */
#include "edgeloop_depthwise.h"
#include "edgeloop_kernels.h"
#include "edgeloop_tile.h"

static void observe(const edgeloop_depthwise *depthwise, uint32_t stride_y, const int8_t *const *rows, uint32_t count, int8_t *to) {
    for (uint32_t row = 0; row < count; row++) {
        edgeloop_depthwise_row(depthwise, rows + row * stride_y, to + row * depthwise->output_width * depthwise->channels);
    }
}

#if EDGELOOP_DSP

void edgeloop_separable_rows(const edgeloop_depthwise *depthwise, const edgeloop_convolution *pointwise, uint32_t stride_y,
                             const int8_t *const *rows, uint32_t count, int8_t *output, int8_t *between, void *scratch) {
    const uint32_t columns = count * depthwise->output_width;
    const uint32_t inputs = depthwise->channels;
    const uint32_t groups = (columns + EDGELOOP_COLUMNS - 1) / EDGELOOP_COLUMNS;
    uint32_t *words = scratch;
    if (between != NULL) observe(depthwise, stride_y, rows, count, between);
    edgeloop_depthwise_groups(depthwise, stride_y, rows, count, words);
    words += groups * edgeloop_group_words(edgeloop_filled(inputs));
    edgeloop_multiply_all(pointwise, inputs, scratch, (edgeloop_channel_pair *)(void *)words, columns, output);
}

#else

void edgeloop_separable_rows(const edgeloop_depthwise *depthwise, const edgeloop_convolution *pointwise, uint32_t stride_y,
                             const int8_t *const *rows, uint32_t count, int8_t *output, int8_t *between, void *scratch) {
    const uint32_t input_bytes = depthwise->output_width * depthwise->channels;
    const uint32_t output_bytes = pointwise->output_width * pointwise->output_channels;
    int8_t *middle = between != NULL ? between : scratch;
    observe(depthwise, stride_y, rows, count, middle);
    for (uint32_t row = 0; row < count; row++) {
        const void *input[1];
        input[0] = middle + row * input_bytes;
        edgeloop_convolution_row(pointwise, input, output + row * output_bytes, NULL);
    }
}

#endif
