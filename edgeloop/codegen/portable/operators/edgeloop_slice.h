/* STRIDED_SLICE, SLICE, SPLIT and SPLIT_V. */
#ifndef EDGELOOP_SLICE_H
#define EDGELOOP_SLICE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    uint32_t columns;           /* of the output */
    uint32_t channels;
    uint32_t first;             /* place in a row of the input where the first value is read */
    uint32_t column_step;       /* values of the input from one column of the output to the next */
    uint32_t channel_step;
} edgeloop_slice;

/* Not in place. */
void edgeloop_slice_row(const edgeloop_slice *layer, const int8_t *input, int8_t *output);

#ifdef __cplusplus
}
#endif

#endif
