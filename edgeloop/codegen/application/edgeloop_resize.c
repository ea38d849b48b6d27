/* The rules of OpenCV 5.0 (modules/imgproc/src/resize.cpp) for 8-bit images, step by step in the same arithmetic: sums in single
 * precision in the same order (area), products of 11-bit weights (bilinear). */
#include "edgeloop_resize.h"

/* A product and a sum must not become one instruction that rounds once. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif

enum { WEIGHT_ONE = 2048 };
static const double SMALLEST_SHARE = 1e-3;
static const double EPSILON = 2.2204460492503131e-16;

/* To the nearest, halves to even, as the processor's own rounding does; `value` is not negative. */
static uint32_t rounded(float value)
{
    uint32_t whole = (uint32_t)value;
    float rest = value - (float)whole;
    return whole + (rest > 0.5f || (rest == 0.5f && (whole & 1u) != 0u) ? 1u : 0u);
}

static uint8_t byte_of(uint32_t value)
{
    return (uint8_t)(value > 255u ? 255u : value);
}

/* Source pixels for each pixel of the result; OpenCV computes it by way of the inverse. */
static double scale_of(uint32_t size, uint32_t side)
{
    return 1.0 / ((double)side / (double)size);
}

static int32_t floor_of(float value)
{
    int32_t whole = (int32_t)value;
    return whole - (value < (float)whole ? 1 : 0);
}

static const uint8_t *row_of(const edgeloop_frame *frame, uint32_t y)
{
    return frame->pixels + (uint64_t)y * frame->row_bytes;
}

/* One channel of the pixel at `from`, as the result has it. */
static uint32_t level(const edgeloop_frame *frame, const edgeloop_size *size, const uint8_t *from, uint32_t channel)
{
    if (frame->pixel_bytes == size->channels) {
        return from[channel];
    }
    return (19595u * from[0] + 38470u * from[1] + 7471u * from[2] + 32768u) >> 16;
}

static void copy(const edgeloop_frame *frame, const edgeloop_size *size, uint8_t *pixels)
{
    for (uint32_t y = 0; y < size->height; y++) {
        const uint8_t *from = row_of(frame, y);
        for (uint32_t x = 0; x < size->width; x++, from += frame->pixel_bytes) {
            for (uint32_t c = 0; c < size->channels; c++) {
                *pixels++ = (uint8_t)level(frame, size, from, c);
            }
        }
    }
}

/* Blocks of step_x x step_y pixels: their sums are integers. */
static void average_blocks(const edgeloop_frame *frame, const edgeloop_size *size, uint32_t step_x, uint32_t step_y, uint8_t *pixels)
{
    float share = (float)(1.0 / (double)(step_x * step_y));
    for (uint32_t y = 0; y < size->height; y++) {
        for (uint32_t x = 0; x < size->width; x++) {
            for (uint32_t c = 0; c < size->channels; c++) {
                uint32_t sum = 0;
                for (uint32_t j = 0; j < step_y; j++) {
                    const uint8_t *from = row_of(frame, y * step_y + j) + x * step_x * frame->pixel_bytes;
                    for (uint32_t i = 0; i < step_x; i++, from += frame->pixel_bytes) {
                        sum += level(frame, size, from, c);
                    }
                }
                *pixels++ = byte_of(step_x == 2 && step_y == 2 ? (sum + 2u) >> 2 : rounded((float)sum * share));
            }
        }
    }
}

/* Where pixel `place` of the result begins and ends in the source, and the shares of the pixels that it covers in part. */
static void cover(uint32_t place, double scale, uint32_t size, edgeloop_column *covered)
{
    double begin = (double)place * scale, end = begin + scale, cell = scale < (double)size - begin ? scale : (double)size - begin;
    uint32_t first = (uint32_t)begin, last = (uint32_t)end;
    first += (double)first < begin ? 1u : 0u;
    last = last > size - 1u ? size - 1u : last;
    first = first > last ? last : first;
    double before = (double)first - begin, after = end - (double)last;
    after = after > 1.0 ? 1.0 : after;
    after = after > cell ? cell : after;
    covered->first = first;
    covered->whole = last - first;
    covered->begin = before > SMALLEST_SHARE ? (float)(before / cell) : 0.0f;
    covered->middle = (float)(1.0 / cell);
    covered->end = end - (double)last > SMALLEST_SHARE ? (float)(after / cell) : 0.0f;
}

/* The weighted sum of what a column covers in one row. */
static void average_row(const edgeloop_frame *frame, const edgeloop_size *size, const uint8_t *row, edgeloop_column *column)
{
    const uint32_t step = frame->pixel_bytes;
    for (uint32_t c = 0; c < size->channels; c++) {
        const uint8_t *from = row + column->first * step;
        float sum = 0.0f;
        if (column->begin != 0.0f) {
            sum += (float)level(frame, size, from - step, c) * column->begin;
        }
        for (uint32_t i = 0; i < column->whole; i++, from += step) {
            sum += (float)level(frame, size, from, c) * column->middle;
        }
        if (column->end != 0.0f) {
            sum += (float)level(frame, size, from, c) * column->end;
        }
        column->row[c] = sum;
    }
}

static void add_row(const edgeloop_frame *frame, uint32_t y, float share, const edgeloop_size *size, edgeloop_column *columns)
{
    const uint8_t *row = row_of(frame, y);
    for (uint32_t x = 0; x < size->width; x++) {
        average_row(frame, size, row, &columns[x]);
        for (uint32_t c = 0; c < size->channels; c++) {
            columns[x].sum[c] += share * columns[x].row[c];
        }
    }
}

static void average(const edgeloop_frame *frame, const edgeloop_size *size, edgeloop_column *columns, uint8_t *pixels)
{
    double scale_x = scale_of(frame->width, size->width), scale_y = scale_of(frame->height, size->height);
    for (uint32_t x = 0; x < size->width; x++) {
        cover(x, scale_x, frame->width, &columns[x]);
    }
    for (uint32_t y = 0; y < size->height; y++) {
        edgeloop_column rows;
        cover(y, scale_y, frame->height, &rows);
        for (uint32_t x = 0; x < size->width; x++) {
            columns[x].sum[0] = columns[x].sum[1] = columns[x].sum[2] = 0.0f;
        }
        if (rows.begin != 0.0f) {
            add_row(frame, rows.first - 1u, rows.begin, size, columns);
        }
        for (uint32_t i = 0; i < rows.whole; i++) {
            add_row(frame, rows.first + i, rows.middle, size, columns);
        }
        if (rows.end != 0.0f) {
            add_row(frame, rows.first + rows.whole, rows.end, size, columns);
        }
        for (uint32_t x = 0; x < size->width; x++) {
            for (uint32_t c = 0; c < size->channels; c++) {
                *pixels++ = byte_of(rounded(columns[x].sum[c]));
            }
        }
    }
}

void edgeloop_resize_area(const edgeloop_frame *frame, const edgeloop_size *size, edgeloop_column *columns, uint8_t *pixels)
{
    if (frame->width < size->width || frame->height < size->height) {
        edgeloop_resize_bilinear(frame, size, columns, pixels);
        return;
    }
    double scale_x = scale_of(frame->width, size->width), scale_y = scale_of(frame->height, size->height);
    uint32_t step_x = rounded((float)scale_x), step_y = rounded((float)scale_y);
    double off_x = scale_x - (double)step_x, off_y = scale_y - (double)step_y;
    if (off_x < EPSILON && off_x > -EPSILON && off_y < EPSILON && off_y > -EPSILON) {
        average_blocks(frame, size, step_x, step_y, pixels);
    } else {
        average(frame, size, columns, pixels);
    }
}

/* Two neighbours and their weights. In a row what lies outside is the last pixel, with all the weight; rows outside repeat
 * the last one, and keep their weights. */
static uint32_t between(uint32_t place, double scale, uint32_t size, int is_row, edgeloop_column *weights, uint32_t *next)
{
    float centre = (float)(((double)place + 0.5) * scale - 0.5);
    int32_t near_place = floor_of(centre);
    float far_share = centre - (float)near_place;
    if (!is_row && (near_place < 0 || near_place >= (int32_t)size - 1)) {
        far_share = 0.0f;
    }
    weights->near_weight = (int32_t)rounded((1.0f - far_share) * (float)WEIGHT_ONE);
    weights->far_weight = (int32_t)rounded(far_share * (float)WEIGHT_ONE);
    int32_t last = (int32_t)size - 1, far_place = near_place + 1;
    *next = (uint32_t)(far_place < 0 ? 0 : far_place > last ? last : far_place);
    return (uint32_t)(near_place < 0 ? 0 : near_place > last ? last : near_place);
}

static uint32_t bilinear(const edgeloop_frame *frame, const edgeloop_size *size, const uint8_t *row, const edgeloop_column *column,
                         uint32_t c)
{
    const uint8_t *from = row + column->first * frame->pixel_bytes;
    const uint8_t *next = column->first + 1u < frame->width ? from + frame->pixel_bytes : from;
    return level(frame, size, from, c) * (uint32_t)column->near_weight + level(frame, size, next, c) * (uint32_t)column->far_weight;
}

void edgeloop_resize_bilinear(const edgeloop_frame *frame, const edgeloop_size *size, edgeloop_column *columns, uint8_t *pixels)
{
    if (frame->width == size->width && frame->height == size->height) {
        copy(frame, size, pixels);
        return;
    }
    if (frame->width == 2u * size->width && frame->height == 2u * size->height) {
        average_blocks(frame, size, 2, 2, pixels);
        return;
    }
    double scale_x = scale_of(frame->width, size->width), scale_y = scale_of(frame->height, size->height);
    for (uint32_t x = 0; x < size->width; x++) {
        uint32_t next;
        columns[x].first = between(x, scale_x, frame->width, 0, &columns[x], &next);
    }
    for (uint32_t y = 0; y < size->height; y++) {
        edgeloop_column rows;
        uint32_t next, first = between(y, scale_y, frame->height, 1, &rows, &next);
        const uint8_t *upper = row_of(frame, first), *lower = row_of(frame, next);
        for (uint32_t x = 0; x < size->width; x++) {
            for (uint32_t c = 0; c < size->channels; c++) {
                uint32_t above = bilinear(frame, size, upper, &columns[x], c) >> 4,
                         below = bilinear(frame, size, lower, &columns[x], c) >> 4;
                uint32_t sum = ((uint32_t)rows.near_weight * above >> 16) + ((uint32_t)rows.far_weight * below >> 16);
                *pixels++ = byte_of((sum + 2u) >> 2);
            }
        }
    }
}

/* In single precision, as TensorFlow computes it. */
static uint32_t nearest(uint32_t place, uint32_t size, uint32_t side)
{
    float scale = (float)((double)size / (double)side);
    uint32_t source = (uint32_t)(((float)place + 0.5f) * scale);
    return source > size - 1u ? size - 1u : source;
}

void edgeloop_resize_nearest(const edgeloop_frame *frame, const edgeloop_size *size, edgeloop_column *columns, uint8_t *pixels)
{
    (void)columns;
    for (uint32_t y = 0; y < size->height; y++) {
        const uint8_t *row = row_of(frame, nearest(y, frame->height, size->height));
        for (uint32_t x = 0; x < size->width; x++) {
            const uint8_t *from = row + nearest(x, frame->width, size->width) * frame->pixel_bytes;
            for (uint32_t c = 0; c < size->channels; c++) {
                *pixels++ = (uint8_t)level(frame, size, from, c);
            }
        }
    }
}
