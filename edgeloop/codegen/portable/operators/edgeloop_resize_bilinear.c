/* RESIZE_BILINEAR, row by row, in integers (reference/resize_bilinear.h: ResizeBilinearInteger). */
#include "edgeloop_resize_bilinear.h"

enum { ONE = 1 << 10 };

/* Between two values, in 1/1024. */
static int32_t between(int32_t first, int32_t second, int32_t fraction) { return first * (ONE - fraction) + second * fraction; }

void edgeloop_resize_bilinear_row(const edgeloop_resize_bilinear *layer, const int8_t *first, const int8_t *second, int32_t fraction,
                                  int8_t *output) {
    for (uint32_t column = 0; column < layer->output_width; column++) {
        const int32_t across = layer->column_fraction[column];
        const uint32_t left = (uint32_t)layer->columns[column] * layer->channels;
        const uint32_t right = across > 0 ? left + layer->channels : left;
        for (uint32_t channel = 0; channel < layer->channels; channel++) {
            const int32_t upper = between(first[left + channel], first[right + channel], across);
            const int32_t lower = between(second[left + channel], second[right + channel], across);
            const int32_t sum = upper * (ONE - fraction) + lower * fraction;
            /* Rounded to the nearest, halves away from zero. */
            *output++ = (int8_t)((sum + (sum > 0 ? ONE * ONE / 2 : -ONE * ONE / 2)) / (ONE * ONE));
        }
    }
}
