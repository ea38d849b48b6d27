/* SOFTMAX over the channels of each position; the output has scale 1/256 and zero point -128. */
#ifndef EDGELOOP_SOFTMAX_H
#define EDGELOOP_SOFTMAX_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    uint32_t width;
    uint32_t channels;
    int32_t multiplier;
    int32_t left_shift;
    int32_t lowest_difference;  /* differences to the largest input below this one count as 0 */
} edgeloop_softmax;

/* output may be the input, value for value in place. */
void edgeloop_softmax_row(const edgeloop_softmax *layer, const int8_t *input, int8_t *output);

#ifdef __cplusplus
}
#endif

#endif
