/* FULLY_CONNECTED on one vector. */
#ifndef EDGELOOP_DENSE_H
#define EDGELOOP_DENSE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const int8_t *weights;      /* [output][input] */
    const int32_t *bias;        /* [output], zero point folded in */
    const double *factor;       /* [output]: sums are scaled in double, as LiteRT 2's reference kernel does */
    uint32_t inputs;
    uint32_t outputs;
    int32_t output_zero_point;
    int32_t low;
    int32_t high;
} edgeloop_dense;

/* input: layer->inputs values; output: layer->outputs. */
void edgeloop_dense_row(const edgeloop_dense *layer, const int8_t *input, int8_t *output);

#ifdef __cplusplus
}
#endif

#endif
