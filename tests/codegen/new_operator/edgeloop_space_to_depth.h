/* SPACE_TO_DEPTH. */
#ifndef EDGELOOP_SPACE_TO_DEPTH_H
#define EDGELOOP_SPACE_TO_DEPTH_H

#include <stdint.h>

typedef struct {
    uint32_t run; /* values of one row of a square */
    uint32_t block;
    uint32_t width; /* of the output */
} edgeloop_space_to_depth;

/* rows: `block` pointers. */
void edgeloop_space_to_depth_row(const edgeloop_space_to_depth *layer, const int8_t *const *rows, int8_t *output);

#endif
