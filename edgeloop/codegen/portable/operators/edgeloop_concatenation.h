/* CONCATENATION. */
#ifndef EDGELOOP_CONCATENATION_H
#define EDGELOOP_CONCATENATION_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    uint32_t pieces;            /* of a row: one for each column along channels, else 1 */
    uint32_t output_step;       /* values from one piece of the output to the next */
} edgeloop_concatenation;

/* One input's part of a row: `count` values of each piece. output: where the first of them goes. Not in place. */
void edgeloop_concatenation_row(const edgeloop_concatenation *layer, const int8_t *input, uint32_t count, int8_t *output);

#ifdef __cplusplus
}
#endif

#endif
