/* ADD, row by row. */
#include "edgeloop_add.h"
#include "edgeloop_fixed_point.h"

/* Both inputs are shifted to the left by as much before they are scaled (reference/add.h). */
enum { ADD_LEFT_SHIFT = 20 };

static int32_t addend(const edgeloop_add *layer, uint32_t i, int32_t value) {
    const int32_t shifted = (value - layer->input_zero_point[i]) * (INT32_C(1) << ADD_LEFT_SHIFT);
    return edgeloop_scaled(shifted, layer->input_multiplier[i], layer->input_shift[i]);
}

void edgeloop_add_row(const edgeloop_add *layer, const int8_t *first, const int8_t *second, int8_t *output) {
    for (uint32_t i = 0; i < layer->count; i++) {
        const int32_t sum = edgeloop_wrapping_add(addend(layer, 0, first[i]), addend(layer, 1, second[i]));
        output[i] = (int8_t)edgeloop_requantized(sum, layer->output_multiplier, layer->output_shift, layer->output_zero_point, layer->low,
                                                 layer->high);
    }
}
