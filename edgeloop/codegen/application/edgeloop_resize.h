/* A frame stretched to the size of a model's image, to the very bytes that edgeloop's Python gives (it resizes with OpenCV and as TensorFlow
 * does).
 *
 * A frame has three bytes a pixel (red, green, blue) or one (grey), rows from the top, `row_bytes` from one row to the next. The result has
 * width x height x channels bytes. Each pixel of a coloured frame becomes grey, where the result has one channel, before anything else:
 * (19595 red + 38470 green + 7471 blue + 32768) >> 16. A grey frame cannot become a coloured result. Both sides of a frame are between 1
 * and 32767 pixels. No allocation; `columns`, one for each of the result's, is working memory. */
#ifndef EDGELOOP_RESIZE_H
#define EDGELOOP_RESIZE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const uint8_t *pixels;
    uint32_t width;
    uint32_t height;
    uint32_t row_bytes;
    uint32_t pixel_bytes; /* 3: red, green, blue; 1: grey */
} edgeloop_frame;

typedef struct {
    uint32_t width;
    uint32_t height;
    uint32_t channels; /* 3 or 1, no more than the frame has */
} edgeloop_size;

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

/* Averages where the frame is at least as large as the result in both directions, else bilinear. */
void edgeloop_resize_area(const edgeloop_frame *frame, const edgeloop_size *size, edgeloop_column *columns, uint8_t *pixels);

/* Between the four nearest pixels. */
void edgeloop_resize_bilinear(const edgeloop_frame *frame, const edgeloop_size *size, edgeloop_column *columns, uint8_t *pixels);

/* The nearest pixel; `columns` is not used. */
void edgeloop_resize_nearest(const edgeloop_frame *frame, const edgeloop_size *size, edgeloop_column *columns, uint8_t *pixels);

#ifdef __cplusplus
}
#endif

#endif
