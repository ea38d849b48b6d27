/* ADD of two values of one shape. */
#ifndef EDGELOOP_ADD_H
#define EDGELOOP_ADD_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    uint32_t count;             /* values of a row: width * channels */
    int32_t input_zero_point[2];
    int32_t input_multiplier[2];
    int32_t input_shift[2];
    int32_t output_zero_point;
    int32_t output_multiplier;
    int32_t output_shift;
    int32_t low;
    int32_t high;
} edgeloop_add;

/* output may be an input, value for value in place. */
void edgeloop_add_row(const edgeloop_add *layer, const int8_t *first, const int8_t *second, int8_t *output);

#ifdef __cplusplus
}
#endif

#endif
