/* MAX_POOL_2D; values in the padding do not count. */
#ifndef EDGELOOP_MAX_POOL_H
#define EDGELOOP_MAX_POOL_H

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
    int32_t low; /* limits of the output */
    int32_t high;
} edgeloop_max_pool;

/* rows: kernel_height pointers. */
void edgeloop_max_pool_row(const edgeloop_max_pool *layer, const int8_t *const *rows, int8_t *output);

#ifdef __cplusplus
}
#endif

#endif
