/* AVERAGE_POOL_2D; values in the padding do not count. */
#ifndef EDGELOOP_AVERAGE_POOL_H
#define EDGELOOP_AVERAGE_POOL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    uint32_t input_width;
    uint32_t channels;
    uint32_t output_width;
    uint32_t kernel_height;
    uint32_t kernel_width;
    uint32_t stride_x;
    uint32_t left;
    int32_t low;
    int32_t high;
} edgeloop_average_pool;

/* rows: kernel_height pointers. */
void edgeloop_average_pool_row(const edgeloop_average_pool *layer, const int8_t *const *rows, int8_t *output);

#ifdef __cplusplus
}
#endif

#endif
