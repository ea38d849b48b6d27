/* MEAN over height and width. */
#ifndef EDGELOOP_MEAN_H
#define EDGELOOP_MEAN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    uint32_t width;
    uint32_t channels;
    int32_t offset;             /* height * width * input zero point, which is taken off each sum */
    int32_t multiplier;         /* already divided by height * width */
    int32_t shift;
    int32_t output_zero_point;
} edgeloop_mean;

/* Mean: sums (channels values, set to 0 before the first row) take up one input row after another, then give the output. */
void edgeloop_mean_add_row(const edgeloop_mean *layer, const int8_t *input, int32_t *sums);
void edgeloop_mean_finish(const edgeloop_mean *layer, const int32_t *sums, int8_t *output);

#ifdef __cplusplus
}
#endif

#endif
