/* The depthwise kernel behind edgeloop_depthwise_rows and edgeloop_separable_depthwise. Internal. */
#ifndef EDGELOOP_DEPTHWISE_GROUPS_H
#define EDGELOOP_DEPTHWISE_GROUPS_H

#include "edgeloop_depthwise.h"
#include "edgeloop_dsp.h"

#if EDGELOOP_DSP
/* Output rows in the form of edgeloop_tile.h: groups of columns, 16 bits each, inputs filled up, at the beginning of the scratch
 * memory; behind them that of edgeloop_depthwise_rows. */
void edgeloop_depthwise_groups(const edgeloop_depthwise *layer, uint32_t stride_y, const int8_t *const *rows, uint32_t count,
                               uint32_t scratch_bytes, uint32_t *scratch);
#endif

#endif
