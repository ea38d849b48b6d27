/* SPACE_TO_DEPTH, row by row. */
#include "edgeloop_space_to_depth.h"

void edgeloop_space_to_depth_row(const edgeloop_space_to_depth *layer, const int8_t *const *rows, int8_t *output) {
    for (uint32_t column = 0; column < layer->width; column++) {
        for (uint32_t row = 0; row < layer->block; row++) {
            for (uint32_t i = 0; i < layer->run; i++) *output++ = rows[row][column * layer->run + i];
        }
    }
}
