/* LOGISTIC, TANH, HARD_SWISH, LEAKY_RELU: each value by a table. */
#ifndef EDGELOOP_LOOKUP_H
#define EDGELOOP_LOOKUP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const int8_t *table;        /* [256]: the outputs for the stored inputs from -128 to 127 */
    uint32_t count;             /* values of a row */
} edgeloop_lookup;

/* output may be the input, value for value in place. */
void edgeloop_lookup_row(const edgeloop_lookup *layer, const int8_t *input, int8_t *output);

#ifdef __cplusplus
}
#endif

#endif
