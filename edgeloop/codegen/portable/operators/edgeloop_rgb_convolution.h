/* CONV_2D of 3x3 windows over three channels, moved by two columns: the usual first layer. */
#ifndef EDGELOOP_RGB_CONVOLUTION_H
#define EDGELOOP_RGB_CONVOLUTION_H

#include <stddef.h>
#include <stdint.h>

#include "edgeloop_rounding.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const int32_t *weights; /* [pair of output channels][row of the window, five pairs of its nine values; one more][channel of the pair]:
                                   words of two 16-bit weights, the first one lower; zeros where there is no channel or no value. Weights and
                                   biases are doubled unless the rounding is exact */
    const int32_t *scaling; /* [pair of output channels][bias with the zero point folded in; multiplier, 0 or 2^30 .. 2^31 - 1; offset
                                   of fast rounding; shift, positive to the right][channel of the pair] */
    uint32_t input_width;
    uint32_t output_width;
    uint32_t output_channels;
    uint32_t left; /* columns of padding at the left */
    uint32_t input_is_unsigned; /* 1: rows are uint8 pixels, whose QUANTIZE to int8 is folded in */
    int32_t input_zero_point; /* as stored: 0 .. 255 for unsigned input, else -128 .. 127 */
    int32_t output_zero_point;
    int32_t low; /* limits of the output */
    int32_t high;
    uint32_t rounding; /* EDGELOOP_ROUND_... */
} edgeloop_rgb_convolution;

/* One output row. rows: three pointers to int8_t or uint8_t rows, as the layer says. output: output_width * output_channels. */
void edgeloop_rgb_convolution_row(const edgeloop_rgb_convolution *layer, const void *const *rows, int8_t *output, void *scratch);

#ifdef __cplusplus
}
#endif

#endif
