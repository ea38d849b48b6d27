/* CONCATENATION, row by row and input by input. */
#include "edgeloop_concatenation.h"

void edgeloop_concatenation_row(const edgeloop_concatenation *layer, const int8_t *input, uint32_t count, int8_t *output) {
    for (uint32_t piece = 0; piece < layer->pieces; piece++, output += layer->output_step) {
        for (uint32_t i = 0; i < count; i++) output[i] = *input++;
    }
}
