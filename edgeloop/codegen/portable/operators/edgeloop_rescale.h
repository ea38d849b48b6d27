/* RELU and RELU6 as layers of their own (int8), and QUANTIZE between int8 and uint8. */
#ifndef EDGELOOP_RESCALE_H
#define EDGELOOP_RESCALE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    uint32_t count;             /* values of a row */
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t multiplier;
    int32_t shift;
    int32_t low;                /* limits of the output: those of its type for QUANTIZE */
    int32_t high;
    uint32_t input_is_unsigned; /* 1: uint8; always 0 for RELU */
    uint32_t output_is_unsigned;
} edgeloop_rescale;

/* output may be the input, value for value in place. */
void edgeloop_rescale_row(const edgeloop_rescale *layer, const void *input, void *output);

#ifdef __cplusplus
}
#endif

#endif
