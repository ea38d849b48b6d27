/* CONV_2D with groups or dilation, DEPTHWISE_CONV_2D with a depth multiplier or dilation. */
#ifndef EDGELOOP_ANY_CONVOLUTION_H
#define EDGELOOP_ANY_CONVOLUTION_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const int8_t *weights;      /* [output channel][kernel row][kernel column][input channel of its group] */
    const int32_t *bias;        /* as in edgeloop_convolution */
    const int32_t *multiplier;
    const int8_t *shift;
    uint32_t input_width;
    uint32_t input_channels;
    uint32_t group_inputs;      /* input channels of a group */
    uint32_t group_outputs;     /* output channels of a group */
    uint32_t output_width;
    uint32_t output_channels;
    uint32_t kernel_height;
    uint32_t kernel_width;
    uint32_t dilation_y;        /* rows from one of the window to the next */
    uint32_t dilation_x;
    uint32_t stride_x;
    uint32_t left;
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t low;
    int32_t high;
} edgeloop_any_convolution;

/* rows: (kernel_height - 1) * dilation_y + 1 pointers. output: output_width * output_channels. */
void edgeloop_any_convolution_row(const edgeloop_any_convolution *layer, const int8_t *const *rows, int8_t *output);

#ifdef __cplusplus
}
#endif

#endif
