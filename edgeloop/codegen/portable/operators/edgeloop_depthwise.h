/* DEPTHWISE_CONV_2D with multiplier 1; int8 input. */
#ifndef EDGELOOP_DEPTHWISE_H
#define EDGELOOP_DEPTHWISE_H

#include <stddef.h>
#include <stdint.h>

#include "edgeloop_rounding.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const int8_t *weights;      /* [channel][kernel row * kernel_width + kernel column], except for 3x3:
                                   [channel][00 01 10 11 02 20 12 21 22], the digits being kernel row and column: so that one
                                   word holds the 16-bit pairs (00, 10) and (01, 11), the next one (02, 12) and (20, 21) */
    const int32_t *bias;        /* as in edgeloop_convolution, from here on */
    const int32_t *multiplier;
    const int8_t *shift;
    uint32_t input_width;
    uint32_t channels;
    uint32_t output_width;
    uint32_t kernel_height;
    uint32_t kernel_width;
    uint32_t stride_x;
    uint32_t left;
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t low;
    int32_t high;
    uint32_t rounding;
} edgeloop_depthwise;

/* rows: kernel_height pointers. output: output_width * channels. Needs no scratch. */
void edgeloop_depthwise_row(const edgeloop_depthwise *layer, const int8_t *const *rows, int8_t *output);

/* `count` output rows at once, one behind the other. With the layer's vertical stride s, rows are (count - 1) * s +
 * kernel_height pointers. */
void edgeloop_depthwise_rows(const edgeloop_depthwise *layer, uint32_t stride_y, const int8_t *const *rows, uint32_t count, int8_t *output);

#ifdef __cplusplus
}
#endif

#endif
