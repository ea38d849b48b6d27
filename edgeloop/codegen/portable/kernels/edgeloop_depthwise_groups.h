/* The depthwise kernel behind edgeloop_depthwise_rows and edgeloop_separable_depthwise. Internal. */
#ifndef EDGELOOP_DEPTHWISE_GROUPS_H
#define EDGELOOP_DEPTHWISE_GROUPS_H

#include "edgeloop_depthwise.h"
#include "edgeloop_mve.h"
#include "edgeloop_tile.h"

#if EDGELOOP_TILES
/* Output rows in the form of edgeloop_tile.h: groups of columns, 16 bits each, inputs filled up, at the beginning of the scratch
 * memory; behind them that of edgeloop_depthwise_rows. */
void edgeloop_depthwise_groups(const edgeloop_depthwise *layer, uint32_t stride_y, const int8_t *const *rows, uint32_t count,
                               uint32_t scratch_bytes, uint32_t *scratch);
#endif

#if EDGELOOP_MVE
/* Windows of up to so many values. */
enum { EDGELOOP_MVE_MOST_TAPS = 49 };
/* edgeloop_depthwise_rows without scratch memory. */
void edgeloop_mve_depthwise_rows(const edgeloop_depthwise *layer, uint32_t stride_y, const int8_t *const *rows, uint32_t count,
                                 int8_t *output);
#endif

#endif
