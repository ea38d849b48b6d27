/* A depthwise layer and the 1x1 convolution behind it. */
#ifndef EDGELOOP_SEPARABLE_H
#define EDGELOOP_SEPARABLE_H

#include <stddef.h>
#include <stdint.h>

#include "edgeloop_convolution.h"
#include "edgeloop_depthwise.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A depthwise layer and the 1x1 convolution (stride 1, int8 input) behind it, in two calls, one right after the other with
 * the same count and scratch. What lies between them is in the scratch, in a form of its own: it is never stored as int8.
 * `count` output rows at once, which saves instructions where rows are short; rows as for edgeloop_depthwise_rows. All
 * inputs are read before the first output is written. output: count rows of output_width * output_channels. */
void edgeloop_separable_depthwise(const edgeloop_depthwise *depthwise, uint32_t stride_y, const int8_t *const *rows, uint32_t count,
                                  uint32_t scratch_bytes, void *scratch);
void edgeloop_separable_pointwise(const edgeloop_depthwise *depthwise, const edgeloop_convolution *pointwise, uint32_t count,
                                  int8_t *output, void *scratch);

#ifdef __cplusplus
}
#endif

#endif
