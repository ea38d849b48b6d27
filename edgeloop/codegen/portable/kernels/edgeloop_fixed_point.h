/* Fixed-point arithmetic of TensorFlow Lite's reference kernels (kernels/internal/common.h, gemmlowp's fixedpoint.h).
 * Internal to the kernels. Sums and shifts to the left wrap: they are done on unsigned values. */
#ifndef EDGELOOP_FIXED_POINT_H
#define EDGELOOP_FIXED_POINT_H

#include <stdint.h>

#if defined(__GNUC__) || defined(__clang__)
#define EDGELOOP_INLINE static inline __attribute__((always_inline))
/* A function of its own, whose variables have all registers to themselves. */
#define EDGELOOP_APART static __attribute__((noinline))
#else
#define EDGELOOP_INLINE static inline
#define EDGELOOP_APART static
#endif

EDGELOOP_INLINE int32_t edgeloop_wrapping_add(int32_t a, int32_t b) { return (int32_t)((uint32_t)a + (uint32_t)b); }

EDGELOOP_INLINE int32_t edgeloop_clamp(int32_t value, int32_t low, int32_t high) { return value < low ? low : value > high ? high : value; }

/* SaturatingRoundingDoublingHighMul: round(a * b / 2^31), halves upwards. */
EDGELOOP_INLINE int32_t edgeloop_high_product(int32_t a, int32_t b) {
    if (a == INT32_MIN && b == INT32_MIN) return INT32_MAX;
    return (int32_t)(((int64_t)a * b + (INT64_C(1) << 30)) >> 31);
}

/* RoundingDivideByPOT: round(value / 2^exponent), halves away from zero; exponent 0 .. 31. */
EDGELOOP_INLINE int32_t edgeloop_rounded_shift(int32_t value, int32_t exponent) {
    const int32_t mask = (int32_t)((INT64_C(1) << exponent) - 1);
    const int32_t threshold = (mask >> 1) + (value < 0 ? 1 : 0);
    return (value >> exponent) + ((value & mask) > threshold ? 1 : 0);
}

/* MultiplyByQuantizedMultiplier, which rounds twice: value * multiplier * 2^(shift - 31). */
EDGELOOP_INLINE int32_t edgeloop_scaled(int32_t value, int32_t multiplier, int32_t shift) {
    const int32_t left = shift > 0 ? shift : 0;
    const int32_t right = shift > 0 ? 0 : -shift;
    return edgeloop_rounded_shift(edgeloop_high_product((int32_t)((uint32_t)value << left), multiplier), right);
}

/* The output value of an accumulator. */
EDGELOOP_INLINE int32_t edgeloop_requantized(int32_t value, int32_t multiplier, int32_t shift, int32_t zero_point, int32_t low,
                                             int32_t high) {
    return edgeloop_clamp(edgeloop_wrapping_add(edgeloop_scaled(value, multiplier, shift), zero_point), low, high);
}

#endif
