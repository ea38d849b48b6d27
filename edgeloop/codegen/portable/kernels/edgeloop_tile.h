/* Products of 16-bit values in tiles of four columns and two output channels. Internal to the DSP kernels.
 *
 * A column's inputs are expanded to 16 bits in the order in which SXTB16 yields them: of the stored bytes 0 1 2 3 the words
 * (0, 2) and (1, 3). Words of four columns lie next to each other: a *group* is [word][column]. Weights of two output
 * channels lie likewise: [word][channel]. The number of inputs is filled up to a multiple of four with zero weights. */
#ifndef EDGELOOP_TILE_H
#define EDGELOOP_TILE_H

#include "edgeloop_convolution.h"
#include "edgeloop_dsp.h"

#if EDGELOOP_DSP

enum { EDGELOOP_COLUMNS = 4 };

/* Two output channels, made ready; the words of their expanded weights lie behind it. Where there is but one channel left,
 * it stands here twice. */
typedef struct {
    int32_t bias[2];
    int32_t multiplier[2];
    int32_t offset[2]; /* of fast rounding */
    int32_t right[2];  /* the shift, positive to the right */
} edgeloop_channel_pair;

/* Inputs of one column, filled up. */
EDGELOOP_INLINE uint32_t edgeloop_filled(uint32_t inputs) { return (inputs + 3u) & ~3u; }

/* Words of a group of columns whose (filled up) number of inputs is this. */
EDGELOOP_INLINE uint32_t edgeloop_group_words(uint32_t filled) { return filled / 2 * EDGELOOP_COLUMNS; }

/* Words of a channel pair and its weights. */
EDGELOOP_INLINE uint32_t edgeloop_pair_words(uint32_t filled) { return (uint32_t)sizeof(edgeloop_channel_pair) / 4 + filled; }

/* Make output channels `channel` and the next one ready, but for their weights; gives where these belong. */
uint32_t *edgeloop_prepare_pair(const edgeloop_convolution *layer, uint32_t channel, edgeloop_channel_pair *pair);

/* Expand the weights of output channels `channel` and the next one; `inputs` of each, one after the other. */
void edgeloop_expand_weights(const edgeloop_convolution *layer, uint32_t inputs, uint32_t channel, uint32_t *words);

/* Two output channels (one, if `channel` is the last one) of `columns` columns, which lie in groups, one after the other.
 * output: of the first column, channel 0. */
void edgeloop_multiply(const edgeloop_convolution *layer, uint32_t filled, const uint32_t *groups, const edgeloop_channel_pair *pair,
                       uint32_t channel, uint32_t columns, int8_t *output);

/* All output channels of `columns` columns in groups; pair: room for one channel pair and its weights. */
void edgeloop_multiply_all(const edgeloop_convolution *layer, uint32_t inputs, const uint32_t *groups, edgeloop_channel_pair *pair,
                           uint32_t columns, int8_t *output);

#endif
#endif
