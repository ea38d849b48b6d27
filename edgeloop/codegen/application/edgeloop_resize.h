/* An RGB frame stretched to a square, to the very bytes that edgeloop's Python gives (it resizes with OpenCV and as TensorFlow does).
 *
 * A frame has three bytes a pixel (red, green, blue), rows from the top, `row_bytes` from one row to the next. The result has
 * side x side x 3 bytes. Both sides of a frame are between 1 and 32767 pixels. No allocation; `columns` is working memory. */
#ifndef EDGELOOP_RESIZE_H
#define EDGELOOP_RESIZE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const uint8_t *rgb;
    uint32_t width;
    uint32_t height;
    uint32_t row_bytes;
} edgeloop_frame;

/* One column of the result: where it reads in a row, by which weights, and what is summed up of it. */
typedef struct {
    uint32_t first;
    uint32_t whole; /* area: source pixels that it covers entirely */
    float begin;    /* area: the share of the pixel before them, 0 for none */
    float middle;
    float end;
    int32_t near_weight; /* bilinear, of 2048 */
    int32_t far_weight;
    float row[3];
    float sum[3];
} edgeloop_column;

/* Averages where the frame is at least as large as the square in both directions, else bilinear. */
void edgeloop_resize_area(const edgeloop_frame *frame, uint32_t side, edgeloop_column *columns, uint8_t *pixels);

/* Between the four nearest pixels. */
void edgeloop_resize_bilinear(const edgeloop_frame *frame, uint32_t side, edgeloop_column *columns, uint8_t *pixels);

/* The nearest pixel; `columns` is not used. */
void edgeloop_resize_nearest(const edgeloop_frame *frame, uint32_t side, edgeloop_column *columns, uint8_t *pixels);

#ifdef __cplusplus
}
#endif

#endif
