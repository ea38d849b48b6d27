/* RESIZE_NEAREST_NEIGHBOR. */
#ifndef EDGELOOP_RESIZE_NEAREST_H
#define EDGELOOP_RESIZE_NEAREST_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const int32_t *rows;        /* [output row]: the input row that it is; for the caller */
    const int32_t *columns;     /* [output column] */
    uint32_t output_width;
    uint32_t channels;
} edgeloop_resize_nearest;

void edgeloop_resize_nearest_row(const edgeloop_resize_nearest *layer, const int8_t *input, int8_t *output);

#ifdef __cplusplus
}
#endif

#endif
