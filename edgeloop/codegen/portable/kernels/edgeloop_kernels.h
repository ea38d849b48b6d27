/* Row kernels of int8 networks, bit for bit equal to TensorFlow Lite's reference kernels.
 *
 * Every kernel computes one output row (all columns, all channels) of one layer from pointers to the input rows that its
 * window covers. A row is width x channels values, channels next to each other, without gaps. A missing row (padding above
 * or below the input) is a NULL pointer; padding left and right is the kernel's own business.
 *
 * Parameters of a layer are constant structures. Biases have the input's zero point folded in:
 *     bias[o] = bias in the file - input_zero_point * sum of the weights of o      (modulo 2^32)
 * so that kernels multiply stored values as they are; values in the padding count as the input's zero point.
 *
 * With the Arm DSP extension (__ARM_FEATURE_DSP: Cortex-M4, M7, M33, M55 ...) kernels multiply pairs of 16-bit values;
 * without it they are plain C99. EDGELOOP_NO_DSP chooses plain C everywhere, EDGELOOP_EMULATE_DSP the DSP kernels with
 * their instructions written in C, which is how they are tested on other machines.
 *
 * Unless said otherwise, an output overlaps neither the input rows of the same call nor the scratch memory.
 * Scratch memory is 8-byte aligned; what it holds does not outlive a call. Its size is computed by the generator.
 * No kernel keeps any state, allocates, or recurses. */
#ifndef EDGELOOP_KERNELS_H
#define EDGELOOP_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How an accumulator becomes an output value: round(acc * multiplier * 2^(shift - 31)) + zero point, clamped. */
enum {
    /* Any multiplier, shift and limits. */
    EDGELOOP_ROUND_EXACT = 0,
    /* Equal results in fewer instructions; the generator has checked that for all channels: shift is -22 .. -1, limits are
     * -128 and 127, and no accumulator's absolute value can reach 2^30. */
    EDGELOOP_ROUND_FAST = 1,
    /* As before, and the output's zero point is -128: negative accumulators all become -128, however they are rounded. */
    EDGELOOP_ROUND_POSITIVE = 2
};

/* CONV_2D. */
typedef struct {
    const int8_t *weights;      /* [output channel][kernel row][kernel column][input channel] */
    const int32_t *bias;        /* [output channel], zero point folded in */
    const int32_t *multiplier;  /* [output channel], 0 or 2^30 .. 2^31 - 1 */
    const int8_t *shift;        /* [output channel], positive to the left, -31 .. 30 */
    uint32_t input_width;
    uint32_t input_channels;
    uint32_t output_width;
    uint32_t output_channels;
    uint32_t kernel_height;
    uint32_t kernel_width;
    uint32_t stride_x;
    uint32_t left;              /* columns of padding at the left */
    uint32_t input_is_unsigned; /* 1: rows are uint8 pixels, whose QUANTIZE to int8 is folded in */
    int32_t input_zero_point;   /* as stored: 0 .. 255 for unsigned input, else -128 .. 127 */
    int32_t output_zero_point;
    int32_t low;                /* limits of the output */
    int32_t high;
    uint32_t rounding;          /* EDGELOOP_ROUND_... */
} edgeloop_convolution;

/* DEPTHWISE_CONV_2D with multiplier 1; int8 input. */
typedef struct {
    const int8_t *weights;      /* [channel][kernel row * kernel_width + kernel column], except for 3x3:
                                   [channel][00 01 10 11 02 20 12 21 22], the digits being kernel row and column: so that one
                                   word holds the 16-bit pairs (00, 10) and (01, 11), the next one (02, 12) and (20, 21) */
    const int32_t *bias;        /* as in edgeloop_convolution, from here on */
    const int32_t *multiplier;
    const int8_t *shift;
    uint32_t input_width;
    uint32_t channels;
    uint32_t output_width;
    uint32_t kernel_height;
    uint32_t kernel_width;
    uint32_t stride_x;
    uint32_t left;
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t low;
    int32_t high;
    uint32_t rounding;
} edgeloop_depthwise;

/* FULLY_CONNECTED on one vector. */
typedef struct {
    const int8_t *weights;      /* [output][input] */
    const int32_t *bias;        /* [output], zero point folded in */
    const double *factor;       /* [output]: sums are scaled in double, as LiteRT 2's reference kernel does */
    uint32_t inputs;
    uint32_t outputs;
    int32_t output_zero_point;
    int32_t low;
    int32_t high;
} edgeloop_dense;

/* MEAN over height and width. */
typedef struct {
    uint32_t width;
    uint32_t channels;
    int32_t offset;             /* height * width * input zero point, which is taken off each sum */
    int32_t multiplier;         /* already divided by height * width */
    int32_t shift;
    int32_t output_zero_point;
} edgeloop_mean;

/* AVERAGE_POOL_2D; values in the padding do not count. */
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

/* ADD of two values of one shape. */
typedef struct {
    uint32_t count;             /* values of a row: width * channels */
    int32_t input_zero_point[2];
    int32_t input_multiplier[2];
    int32_t input_shift[2];
    int32_t output_zero_point;
    int32_t output_multiplier;
    int32_t output_shift;
    int32_t low;
    int32_t high;
} edgeloop_add;

/* RELU and RELU6 as layers of their own (int8), and QUANTIZE between int8 and uint8. */
typedef struct {
    uint32_t count;             /* values of a row */
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t multiplier;
    int32_t shift;
    int32_t low;                /* limits of the output: those of its type for QUANTIZE */
    int32_t high;
    uint32_t input_is_unsigned; /* 1: uint8; always 0 for RELU */
    uint32_t output_is_unsigned;
} edgeloop_rescale;

/* PAD of rows and columns. */
typedef struct {
    uint32_t input_width;
    uint32_t channels;
    uint32_t output_width;
    uint32_t left;
    int32_t fill;               /* the stored value of what is added */
} edgeloop_pad;

/* SOFTMAX over the channels of each position; the output has scale 1/256 and zero point -128. */
typedef struct {
    uint32_t width;
    uint32_t channels;
    int32_t multiplier;
    int32_t left_shift;
    int32_t lowest_difference;  /* differences to the largest input below this one count as 0 */
} edgeloop_softmax;

/* DEQUANTIZE to float. */
typedef struct {
    uint32_t count;             /* values of a row */
    double scale;
    int32_t zero_point;
    uint32_t input_is_unsigned;
} edgeloop_dequantize;

/* rows: kernel_height pointers, int8_t or uint8_t rows as the layer says; a 1x1 window with stride_x 1 has no padding, and its
 * row is never missing. output: output_width * output_channels. */
void edgeloop_convolution_row(const edgeloop_convolution *layer, const void *const *rows, int8_t *output, void *scratch);

/* rows: kernel_height pointers. output: output_width * channels. Needs no scratch. */
void edgeloop_depthwise_row(const edgeloop_depthwise *layer, const int8_t *const *rows, int8_t *output);

/* `count` output rows at once, one behind the other. With the layer's vertical stride s, rows are (count - 1) * s +
 * kernel_height pointers. */
void edgeloop_depthwise_rows(const edgeloop_depthwise *layer, uint32_t stride_y, const int8_t *const *rows, uint32_t count,
                             int8_t *output);

/* A depthwise layer and the 1x1 convolution (stride 1, int8 input) behind it, in two calls, one right after the other with
 * the same count and scratch. What lies between them is in the scratch, in a form of its own: it is never stored as int8.
 * `count` output rows at once, which saves instructions where rows are short; rows as for edgeloop_depthwise_rows. All
 * inputs are read before the first output is written. output: count rows of output_width * output_channels. */
void edgeloop_separable_depthwise(const edgeloop_depthwise *depthwise, uint32_t stride_y, const int8_t *const *rows, uint32_t count,
                                  void *scratch);
void edgeloop_separable_pointwise(const edgeloop_depthwise *depthwise, const edgeloop_convolution *pointwise, uint32_t count,
                                  int8_t *output, void *scratch);

/* input: layer->inputs values; output: layer->outputs. */
void edgeloop_dense_row(const edgeloop_dense *layer, const int8_t *input, int8_t *output);

/* Mean: sums (channels values, set to 0 before the first row) take up one input row after another, then give the output. */
void edgeloop_mean_add_row(const edgeloop_mean *layer, const int8_t *input, int32_t *sums);
void edgeloop_mean_finish(const edgeloop_mean *layer, const int32_t *sums, int8_t *output);

/* rows: kernel_height pointers. */
void edgeloop_average_pool_row(const edgeloop_average_pool *layer, const int8_t *const *rows, int8_t *output);

/* Kernels without a window: output may be the input, value for value in place. */
void edgeloop_add_row(const edgeloop_add *layer, const int8_t *first, const int8_t *second, int8_t *output);
void edgeloop_rescale_row(const edgeloop_rescale *layer, const void *input, void *output);
void edgeloop_softmax_row(const edgeloop_softmax *layer, const int8_t *input, int8_t *output);

/* input: a row, or NULL for an added row above or below. Not in place. */
void edgeloop_pad_row(const edgeloop_pad *layer, const int8_t *input, int8_t *output);

/* Not in place. */
void edgeloop_dequantize_row(const edgeloop_dequantize *layer, const void *input, float *output);

#ifdef __cplusplus
}
#endif

#endif
