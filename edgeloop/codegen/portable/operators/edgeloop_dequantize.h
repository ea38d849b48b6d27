/* DEQUANTIZE to float. */
#ifndef EDGELOOP_DEQUANTIZE_H
#define EDGELOOP_DEQUANTIZE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    uint32_t count;             /* values of a row */
    double scale;
    int32_t zero_point;
    uint32_t input_is_unsigned;
} edgeloop_dequantize;

/* Not in place. */
void edgeloop_dequantize_row(const edgeloop_dequantize *layer, const void *input, float *output);

#ifdef __cplusplus
}
#endif

#endif
