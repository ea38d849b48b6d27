/* MEAN over height and width. */
#include "edgeloop_fixed_point.h"
#include "edgeloop_mve.h"
#include "edgeloop_mean.h"

#if EDGELOOP_MVE

enum { LANES = 4 };

void edgeloop_mean_add_row(const edgeloop_mean *layer, const int8_t *input, int32_t *sums) {
    const uint32_t channels = layer->channels;
    for (uint32_t channel = 0; channel < channels; channel += LANES) {
        const mve_pred16_t there = vctp32q(channels - channel);
        const int8_t *from = input + channel;
        int32x4_t sum = vldrwq_z_s32(sums + channel, there);
        for (uint32_t column = layer->width; column; column--, from += channels) sum = vaddq_s32(sum, vldrbq_z_s32(from, there));
        vstrwq_p_s32(sums + channel, sum, there);
    }
}

void edgeloop_mean_finish(const edgeloop_mean *layer, const int32_t *sums, int8_t *output) {
    const int32x4_t multiplier = vdupq_n_s32(layer->multiplier), shift = vdupq_n_s32(layer->shift), none = vdupq_n_s32(0);
    const int32x4_t left = vmaxq_s32(shift, none), right = vminq_s32(shift, none);
    for (uint32_t channel = 0; channel < layer->channels; channel += LANES) {
        const mve_pred16_t there = vctp32q(layer->channels - channel);
        const int32x4_t sum = vsubq_n_s32(vldrwq_z_s32(sums + channel, there), layer->offset);
        const int32x4_t mean = vaddq_n_s32(edgeloop_mve_scaled(sum, multiplier, left, right), layer->output_zero_point);
        vstrbq_p_s32(output + channel, vminq_s32(vmaxq_s32(mean, vdupq_n_s32(-128)), vdupq_n_s32(127)), there);
    }
}

#else

void edgeloop_mean_add_row(const edgeloop_mean *layer, const int8_t *input, int32_t *sums) {
    for (uint32_t column = 0; column < layer->width; column++) {
        for (uint32_t channel = 0; channel < layer->channels; channel++) sums[channel] += *input++;
    }
}

void edgeloop_mean_finish(const edgeloop_mean *layer, const int32_t *sums, int8_t *output) {
    for (uint32_t channel = 0; channel < layer->channels; channel++) {
        output[channel] = (int8_t)edgeloop_requantized(sums[channel] - layer->offset, layer->multiplier, layer->shift,
                                                       layer->output_zero_point, -128, 127);
    }
}

#endif
