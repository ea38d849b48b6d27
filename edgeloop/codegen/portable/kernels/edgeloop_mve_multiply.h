/* Products of int8 values in vectors of 16, in tiles of three columns and two output channels. Internal to the kernels for Helium. */
#ifndef EDGELOOP_MVE_MULTIPLY_H
#define EDGELOOP_MVE_MULTIPLY_H

#include "edgeloop_convolution.h"
#include "edgeloop_mve.h"

#if EDGELOOP_MVE

/* All output channels of `count` columns, `step` bytes from each other, of `inputs` values each. Values are stored ones, but those of a layer
 * whose input is unsigned are less by 128. `padded`: 15 bytes behind the last value may be read, whatever they are; else nothing is.
 * output: count * layer->output_channels. */
void edgeloop_mve_multiply(const edgeloop_convolution *layer, const int8_t *columns, uint32_t step, uint32_t inputs, uint32_t count,
                           uint32_t padded, int8_t *output);

#endif
#endif
