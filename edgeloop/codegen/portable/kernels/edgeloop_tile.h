/* Products of 16-bit values in tiles of columns and two output channels. Internal to the DSP kernels.
 *
 * A column's inputs are expanded to 16 bits in the order in which SXTB16 yields them: of the stored bytes 0 1 2 3 the words
 * (0, 2) and (1, 3). Words of four or three columns lie next to each other: a *group* is [word][column]. Weights of two
 * output channels lie likewise: [word][channel]. The number of inputs is filled up to a multiple of four with zero weights.
 *
 * A row of columns is cut into groups of four, then of three: every number from six on is a sum of those. One, two and five
 * columns end in a group of three that is not full, what its last columns yield is not stored. */
#ifndef EDGELOOP_TILE_H
#define EDGELOOP_TILE_H

#include "edgeloop_convolution.h"
#include "edgeloop_dsp.h"
#include "edgeloop_mve.h"

/* Where there are vectors, they are used instead. */
#define EDGELOOP_TILES (EDGELOOP_DSP && !EDGELOOP_MVE)

/* Inputs of one column, filled up. */
EDGELOOP_INLINE uint32_t edgeloop_filled(uint32_t inputs) { return (inputs + 3u) & ~3u; }

/* 3x3 with three channels, the usual first layer: the ninth values of the three rows come last. */
EDGELOOP_INLINE uint32_t edgeloop_is_3x9(const edgeloop_convolution *layer) {
    return layer->kernel_height == 3 && layer->kernel_width * layer->input_channels == 9;
}

#if EDGELOOP_TILES

typedef struct {
    uint32_t fours;
    uint32_t threes;
} edgeloop_cut;

/* Two output channels, made ready; the words of their expanded weights lie behind it. */
typedef struct {
    int32_t bias[2];
    int32_t multiplier[2];
    int32_t offset[2]; /* of fast rounding */
    int32_t right[2];  /* the shift, positive to the right */
} edgeloop_channel_pair;

EDGELOOP_INLINE edgeloop_cut edgeloop_cut_of(uint32_t columns) {
    /* 4 f + 3 t = columns: modulo 4, t is -columns. */
    edgeloop_cut cut = {0, (0u - columns) & 3u};
    if (3 * cut.threes > columns) {
        cut.threes = (columns + 2) / 3;
    } else {
        cut.fours = (columns - 3 * cut.threes) / 4;
    }
    return cut;
}

/* Columns of all groups, those that are not stored included. */
EDGELOOP_INLINE uint32_t edgeloop_cut_columns(edgeloop_cut cut) { return 4 * cut.fours + 3 * cut.threes; }

/* Words of the groups of a row of columns whose (filled up) number of inputs is this. */
EDGELOOP_INLINE uint32_t edgeloop_row_words(uint32_t filled, uint32_t columns) {
    return filled / 2 * edgeloop_cut_columns(edgeloop_cut_of(columns));
}

/* Words of a channel pair and its weights. */
EDGELOOP_INLINE uint32_t edgeloop_pair_words(uint32_t filled) { return (uint32_t)sizeof(edgeloop_channel_pair) / 4 + filled; }

/* Make output channels `channel` and the next one ready. */
void edgeloop_prepare_pair(const edgeloop_convolution *layer, uint32_t filled, uint32_t channel, edgeloop_channel_pair *pair);

/* All output channels of `rows` times `columns` columns, which lie in groups, one row after the other. `pairs` are all channel
 * pairs, `ready`, one behind the other; or there is room for one. */
void edgeloop_multiply(const edgeloop_convolution *layer, uint32_t filled, const uint32_t *groups, edgeloop_channel_pair *pairs,
                       uint32_t ready, uint32_t rows, uint32_t columns, int8_t *output);

#endif
#endif
