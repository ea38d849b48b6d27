/* PRELU; the second operand is alpha. */
#ifndef EDGELOOP_PRELU_H
#define EDGELOOP_PRELU_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const int8_t *constant;     /* the operand that the model's file holds, or NULL */
    uint32_t columns;           /* of a row; 1 where both operands are walked in one run */
    uint32_t channels;
    uint32_t column_step[2];    /* values from one column of an operand to the next; 0 where it has only one */
    uint32_t channel_step[2];   /* likewise from channel to channel */
    int32_t input_zero_point[2];
    int32_t output_zero_point;
    int32_t multiplier[2];      /* of positive values; of products with alpha */
    int32_t shift[2];
} edgeloop_prelu;

/* output may be an operand of its own shape, value for value in place. */
void edgeloop_prelu_row(const edgeloop_prelu *layer, const int8_t *first, const int8_t *second, int8_t *output);

#ifdef __cplusplus
}
#endif

#endif
