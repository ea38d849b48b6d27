/* Vectors of Helium (MVE, the vector extension of Armv8.1-M). Internal to the kernels. EDGELOOP_MVE is 1 where kernels shall use them. */
#ifndef EDGELOOP_MVE_H
#define EDGELOOP_MVE_H

#include <stdint.h>

#include "edgeloop_fixed_point.h"
#include "edgeloop_rounding.h"

/* EDGELOOP_EMULATE_MVE takes the kernels' vectors on other machines, where an <arm_mve.h> in C is given: a test of theirs. */
#if defined(__ARM_FEATURE_MVE) && !defined(EDGELOOP_NO_DSP) && !defined(EDGELOOP_NO_MVE)
#define EDGELOOP_MVE 1
#define EDGELOOP_MVE_ASSEMBLER 1
#elif defined(EDGELOOP_EMULATE_MVE)
#define EDGELOOP_MVE 1
#define EDGELOOP_MVE_ASSEMBLER 0
#else
#define EDGELOOP_MVE 0
#endif

#if EDGELOOP_MVE

#include <arm_mve.h>

/* VQRDMULH is SaturatingRoundingDoublingHighMul: it computes floor((2 a b + 2^31) / 2^32) = floor((a b + 2^30) / 2^31), and saturates
 * where both are -2^31. So does edgeloop_high_product.
 *
 * VRSHL by -e is floor((v + 2^(e-1)) / 2^e) without overflow: it rounds halves upwards, and RoundingDivideByPOT rounds them away from zero.
 * They differ where v is negative and half-way, and there one less than v gives what is wanted; other negative values leave 2^(e-1) above a
 * multiple of 2^e at least by one, so that one less does not matter to them. Where e is 0 nothing may be taken off. A product with a
 * multiplier is above -2^31, so there is room for one less. */

/* What is written behind this comes behind it, so that all vectors of a loop fit into the registers; four of them stay where they are. */
#if EDGELOOP_MVE_ASSEMBLER
#define EDGELOOP_MVE_IN_ORDER(a, b, c, d) __asm__ volatile("" : "+w"(a), "+w"(b), "+w"(c), "+w"(d) : : "memory")
#else
#define EDGELOOP_MVE_IN_ORDER(a, b, c, d) (void)0
#endif

/* MultiplyByQuantizedMultiplier; `right` is minus the shift to the right, whose uppermost bit is there where that is not 0. */
EDGELOOP_INLINE int32x4_t edgeloop_mve_scaled(int32x4_t sums, int32x4_t multiplier, int32x4_t left, int32x4_t right) {
    const int32x4_t product = vqrdmulhq_s32(vshlq_s32(sums, left), multiplier);
    const int32x4_t less = vshrq_n_s32(vandq_s32(product, right), 31);
    return vrshlq_s32(vaddq_s32(product, less), right);
}

/* Negative lanes less one. Where all lanes are shifted to the right, as in fast rounding, a VQRDMULH, this, and a VRSHL scale them; where
 * negative results do not matter, without this. */
EDGELOOP_INLINE int32x4_t edgeloop_mve_less(int32x4_t products) { return vaddq_s32(products, vshrq_n_s32(products, 31)); }

/* Lanes of both in turn, to 16 bits, saturated. */
EDGELOOP_INLINE int16x8_t edgeloop_mve_in_turn(int32x4_t first, int32x4_t second) {
    return vqmovntq_s32(vqmovnbq_s32(vreinterpretq_s16_s32(first), first), second);
}

/* The lower halves of lanes to 8 bits, saturated; the upper ones are something else. */
EDGELOOP_INLINE int16x8_t edgeloop_mve_saturated(int16x8_t v) { return vreinterpretq_s16_s8(vqmovnbq_s16(vreinterpretq_s8_s16(v), v)); }

#endif
#endif
