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
    const int8_t *weights;      /* [channel][kernel row][kernel column] */
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

/* `count` output rows at once, one behind the other. With the layer's vertical stride s, rows are (count - 1) * s +
 * kernel_height pointers. The scratch memory holds 16-bit input values of four channels (of one, if there are fewer) under as
 * many output columns as there is room for: at least four. output: count * output_width * channels. */
void edgeloop_depthwise_rows(const edgeloop_depthwise *layer, uint32_t stride_y, const int8_t *const *rows, uint32_t count, int8_t *output,
                             uint32_t scratch_bytes, void *scratch);

#ifdef __cplusplus
}
#endif

#endif
