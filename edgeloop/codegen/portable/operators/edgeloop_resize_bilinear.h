/* RESIZE_BILINEAR. */
#ifndef EDGELOOP_RESIZE_BILINEAR_H
#define EDGELOOP_RESIZE_BILINEAR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const int32_t *rows;            /* [output row]: the first of the two input rows it lies between; for the caller */
    const int32_t *row_fraction;    /* [output row]: how far it is on the way to the second one, in 1/1024; likewise */
    const int32_t *columns;         /* [output column] */
    const int32_t *column_fraction; /* [output column] */
    uint32_t output_width;
    uint32_t channels;
} edgeloop_resize_bilinear;

/* fraction: of this row, 0 .. 1023; where it is 0, the second row does not count. */
void edgeloop_resize_bilinear_row(const edgeloop_resize_bilinear *layer, const int8_t *first, const int8_t *second, int32_t fraction,
                                  int8_t *output);

#ifdef __cplusplus
}
#endif

#endif
