/* PAD of rows and columns. */
#ifndef EDGELOOP_PAD_H
#define EDGELOOP_PAD_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    uint32_t input_width;
    uint32_t channels;
    uint32_t output_width;
    uint32_t left;
    int32_t fill;               /* the stored value of what is added */
} edgeloop_pad;

/* input: a row, or NULL for an added row above or below. Not in place. */
void edgeloop_pad_row(const edgeloop_pad *layer, const int8_t *input, int8_t *output);

#ifdef __cplusplus
}
#endif

#endif
