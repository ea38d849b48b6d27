/* CONV_2D. */
#ifndef EDGELOOP_CONVOLUTION_H
#define EDGELOOP_CONVOLUTION_H

#include <stddef.h>
#include <stdint.h>

#include "edgeloop_rounding.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const int32_t *weights;     /* [pair of output channels][four inputs][channel of the pair]: words of the weights of four inputs,
                                   the first one lowest; zeros where there is no channel or no input. Inputs are in the order
                                   [kernel row][kernel column][channel]; but of 3x3 with three channels, nine to a row, each
                                   row's first eight, then the ninths */
    const int32_t *bias;        /* [output channel], zero point folded in */
    const int32_t *multiplier;  /* [output channel], 0 or 2^30 .. 2^31 - 1 */
    const int8_t *shift;        /* [output channel], positive to the left, -31 .. 30 */
    uint32_t input_width;
    uint32_t input_channels;
    uint32_t output_width;
    uint32_t output_channels;
    uint32_t kernel_height;
    uint32_t kernel_width;
    uint32_t stride_x;
    uint32_t left;              /* columns of padding at the left */
    uint32_t input_is_unsigned; /* 1: rows are uint8 pixels, whose QUANTIZE to int8 is folded in */
    int32_t input_zero_point;   /* as stored: 0 .. 255 for unsigned input, else -128 .. 127 */
    int32_t output_zero_point;
    int32_t low;                /* limits of the output */
    int32_t high;
    uint32_t rounding;          /* EDGELOOP_ROUND_... */
} edgeloop_convolution;

/* rows: kernel_height pointers, int8_t or uint8_t rows as the layer says; a 1x1 window with stride_x 1 has no padding, and its
 * row is never missing. columns, a multiple of four: so many are computed together, for other windows; their inputs lie in the
 * scratch memory. output: output_width * output_channels. */
void edgeloop_convolution_row(const edgeloop_convolution *layer, const void *const *rows, uint32_t columns, int8_t *output, void *scratch);

#ifdef __cplusplus
}
#endif

#endif
