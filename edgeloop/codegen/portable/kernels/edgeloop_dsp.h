/* Instructions of the Arm DSP extension as functions: in assembler where there is one, else written in C.
 * Internal to the kernels. EDGELOOP_DSP is 1 where kernels shall use them. */
#ifndef EDGELOOP_DSP_H
#define EDGELOOP_DSP_H

#include <stdint.h>

#include "edgeloop_fixed_point.h"

#if defined(__ARM_FEATURE_DSP) && defined(__GNUC__) && !defined(EDGELOOP_NO_DSP)
#define EDGELOOP_DSP 1
#define EDGELOOP_DSP_ASSEMBLER 1
#elif defined(EDGELOOP_EMULATE_DSP)
#define EDGELOOP_DSP 1
#define EDGELOOP_DSP_ASSEMBLER 0
#else
#define EDGELOOP_DSP 0
#define EDGELOOP_DSP_ASSEMBLER 0
#endif

#if EDGELOOP_DSP

#if EDGELOOP_DSP_ASSEMBLER

#define EDGELOOP_MULTIPLY_ADD(name, instruction)                                          \
    EDGELOOP_INLINE int32_t edgeloop_##name(uint32_t a, uint32_t b, int32_t sum) {        \
        int32_t result;                                                                   \
        __asm__(instruction " %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum)); \
        return result;                                                                    \
    }
#define EDGELOOP_UNARY(name, instruction, suffix)                      \
    EDGELOOP_INLINE uint32_t edgeloop_##name(uint32_t a) {             \
        uint32_t result;                                               \
        __asm__(instruction " %0, %1" suffix : "=r"(result) : "r"(a)); \
        return result;                                                 \
    }

EDGELOOP_INLINE int32_t edgeloop_smmlar(int32_t a, int32_t b, int32_t sum) {
    int32_t result;
    __asm__("smmlar %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
    return result;
}

EDGELOOP_INLINE int32_t edgeloop_saturated(int32_t a) {
    int32_t result;
    __asm__("ssat %0, #8, %1" : "=r"(result) : "r"(a));
    return result;
}

EDGELOOP_INLINE uint32_t edgeloop_pack_low(uint32_t a, uint32_t b) {
    uint32_t result;
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(result) : "r"(a), "r"(b));
    return result;
}

/* The upper halves of both, that of a below. */
EDGELOOP_INLINE uint32_t edgeloop_pack_high(uint32_t a, uint32_t b) {
    uint32_t result;
    __asm__("pkhtb %0, %2, %1, asr #16" : "=r"(result) : "r"(a), "r"(b));
    return result;
}

EDGELOOP_INLINE uint32_t edgeloop_sadd16(uint32_t a, uint32_t b) {
    uint32_t result;
    __asm__("sadd16 %0, %1, %2" : "=r"(result) : "r"(a), "r"(b));
    return result;
}

/* The bytes 0 1 1 2 of a. */
EDGELOOP_INLINE uint32_t edgeloop_pack_overlapped(uint32_t a) {
    uint32_t result;
    __asm__("pkhbt %0, %1, %1, lsl #8" : "=r"(result) : "r"(a));
    return result;
}

/* What an inner loop consists of is volatile: in the order in which it is written, all values fit into the registers; with
 * loads drawn forward, as compilers like to do, they do not. */
EDGELOOP_INLINE void edgeloop_smlad_to(uint32_t a, uint32_t b, int32_t *sum) {
    __asm__ volatile("smlad %0, %1, %2, %0" : "+r"(*sum) : "r"(a), "r"(b));
}

EDGELOOP_INLINE int32_t edgeloop_smlad_from(uint32_t a, uint32_t b, int32_t sum) { /* leaves the old sum where it is */
    int32_t result;
    __asm__ volatile("smlad %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
    return result;
}
EDGELOOP_INLINE void edgeloop_smlabt_to(uint32_t a, uint32_t b, int32_t *sum) {
    __asm__ volatile("smlabt %0, %1, %2, %0" : "+r"(*sum) : "r"(a), "r"(b));
}
EDGELOOP_INLINE void edgeloop_smlatb_to(uint32_t a, uint32_t b, int32_t *sum) {
    __asm__ volatile("smlatb %0, %1, %2, %0" : "+r"(*sum) : "r"(a), "r"(b));
}
EDGELOOP_INLINE int32_t edgeloop_smlatb_from(uint32_t a, uint32_t b, int32_t sum) {
    int32_t result;
    __asm__ volatile("smlatb %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
    return result;
}

/* Loads a word pair and steps behind it. The memory is no operand: see EDGELOOP_WRITTEN. */
#define EDGELOOP_LOAD_PAIR(first, second, pointer) __asm__ volatile("ldrd %0, %1, [%2], #8" : "=&r"(first), "=&r"(second), "+r"(pointer))

/* Loads three words and steps behind them. A list of registers is in ascending order, so they are given. */
#define EDGELOOP_THREE_WORDS(a, b, c) register uint32_t a __asm__("r4"), b __asm__("r5"), c __asm__("r6")
#define EDGELOOP_LOAD_THREE(a, b, c, pointer) __asm__ volatile("ldmia %3!, {%0, %1, %2}" : "=&r"(a), "=&r"(b), "=&r"(c), "+r"(pointer))

/* Words some words behind a pointer, which is a constant number of them. */
#define EDGELOOP_LOAD_PAIR_AT(first, second, pointer, words) \
    __asm__ volatile("ldrd %0, %1, [%2, %3]" : "=&r"(first), "=&r"(second) : "r"(pointer), "i"(4 * (words)))
#define EDGELOOP_LOAD_AT(value, pointer, words) __asm__ volatile("ldr %0, [%1, %2]" : "=r"(value) : "r"(pointer), "i"(4 * (words)))

/* Four words of bytes (a, b, c, d) to eight of 16 bits: each word's bytes 0 and 2, then its bytes 1 and 3; those of a and b come
 * first. Without the registers that some compilers keep for themselves. */
EDGELOOP_INLINE void edgeloop_expand_four_words(const int32_t **from, uint32_t **to) {
    __asm__ volatile(
        "ldmia %0!, {r2, r3, r6, r8}\n\t"
        "sxtb16 r0, r2\n\t"
        "sxtb16 r1, r3\n\t"
        "sxtb16 r2, r2, ror #8\n\t"
        "sxtb16 r3, r3, ror #8\n\t"
        "sxtb16 r4, r6\n\t"
        "sxtb16 r5, r8\n\t"
        "sxtb16 r6, r6, ror #8\n\t"
        "sxtb16 r8, r8, ror #8\n\t"
        "stmia %1!, {r0, r1, r2, r3, r4, r5, r6, r8}"
        : "+r"(*from), "+r"(*to)
        :
        : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r8", "memory");
}

/* All that was written so far is in memory, and where the pointer points to is not known to the compiler: loads through it
 * stay behind this, and constant addresses are not spread into loops. */
#define EDGELOOP_WRITTEN(pointer) __asm__ volatile("" : "+r"(pointer) : : "memory")

#else /* the same in C */

EDGELOOP_INLINE int32_t edgeloop_low_half(uint32_t a) { return (int16_t)(uint16_t)(a & 0xffffu); }
EDGELOOP_INLINE int32_t edgeloop_high_half(uint32_t a) { return (int16_t)(uint16_t)(a >> 16); }
EDGELOOP_INLINE uint32_t edgeloop_halves(int32_t low, int32_t high) { return ((uint32_t)low & 0xffffu) | ((uint32_t)high << 16); }

#define EDGELOOP_MULTIPLY_ADD(name, products) \
    EDGELOOP_INLINE int32_t edgeloop_##name(uint32_t a, uint32_t b, int32_t sum) { return (int32_t)((uint32_t)sum + (products)); }
#define EDGELOOP_LL ((uint32_t)(edgeloop_low_half(a) * edgeloop_low_half(b)))
#define EDGELOOP_LH ((uint32_t)(edgeloop_low_half(a) * edgeloop_high_half(b)))
#define EDGELOOP_HL ((uint32_t)(edgeloop_high_half(a) * edgeloop_low_half(b)))
#define EDGELOOP_HH ((uint32_t)(edgeloop_high_half(a) * edgeloop_high_half(b)))

EDGELOOP_INLINE uint32_t edgeloop_sxtb16(uint32_t a) {
    return edgeloop_halves((int8_t)(uint8_t)(a & 0xffu), (int8_t)(uint8_t)((a >> 16) & 0xffu));
}
EDGELOOP_INLINE uint32_t edgeloop_sxtb16_high(uint32_t a) { return edgeloop_sxtb16(a >> 8); }
EDGELOOP_INLINE uint32_t edgeloop_uxtb16(uint32_t a) { return a & 0x00ff00ffu; }
EDGELOOP_INLINE uint32_t edgeloop_sadd16(uint32_t a, uint32_t b) { return ((a + b) & 0xffffu) | (((a >> 16) + (b >> 16)) << 16); }
EDGELOOP_INLINE uint32_t edgeloop_uxtb16_high(uint32_t a) { return (a >> 8) & 0x00ff00ffu; }

EDGELOOP_INLINE int32_t edgeloop_smmlar(int32_t a, int32_t b, int32_t sum) {
    const int64_t product = (int64_t)a * b + INT64_C(0x80000000);
    return edgeloop_wrapping_add(sum, (int32_t)(product >> 32));
}
EDGELOOP_INLINE int32_t edgeloop_saturated(int32_t a) { return edgeloop_clamp(a, -128, 127); }
EDGELOOP_INLINE uint32_t edgeloop_pack_low(uint32_t a, uint32_t b) { return (a & 0xffffu) | (b << 16); }
EDGELOOP_INLINE uint32_t edgeloop_pack_high(uint32_t a, uint32_t b) { return (a >> 16) | (b & 0xffff0000u); }
EDGELOOP_INLINE uint32_t edgeloop_pack_overlapped(uint32_t a) { return (a & 0xffffu) | ((a << 8) & 0xffff0000u); }

#define EDGELOOP_LOAD_PAIR(first, second, pointer) \
    do {                                           \
        (first) = (pointer)[0];                    \
        (second) = (pointer)[1];                   \
        (pointer) += 2;                            \
    } while (0)
#define EDGELOOP_THREE_WORDS(a, b, c) uint32_t a, b, c
#define EDGELOOP_LOAD_THREE(a, b, c, pointer) \
    do {                                      \
        (a) = (pointer)[0];                   \
        (b) = (pointer)[1];                   \
        (c) = (pointer)[2];                   \
        (pointer) += 3;                       \
    } while (0)
#define EDGELOOP_LOAD_PAIR_AT(first, second, pointer, words) \
    do {                                                     \
        (first) = (pointer)[words];                          \
        (second) = (pointer)[(words) + 1];                   \
    } while (0)
#define EDGELOOP_LOAD_AT(value, pointer, words) (value) = (pointer)[words]
#define EDGELOOP_WRITTEN(pointer) (void)(pointer)

#endif

#if EDGELOOP_DSP_ASSEMBLER
EDGELOOP_MULTIPLY_ADD(smlad, "smlad")
EDGELOOP_UNARY(sxtb16, "sxtb16", "")
EDGELOOP_UNARY(sxtb16_high, "sxtb16", ", ror #8")
EDGELOOP_UNARY(uxtb16, "uxtb16", "")
EDGELOOP_UNARY(uxtb16_high, "uxtb16", ", ror #8")
#else
EDGELOOP_MULTIPLY_ADD(smlad, EDGELOOP_LL + EDGELOOP_HH)
EDGELOOP_MULTIPLY_ADD(smlabt, EDGELOOP_LH)
EDGELOOP_MULTIPLY_ADD(smlatb, EDGELOOP_HL)
EDGELOOP_INLINE void edgeloop_smlad_to(uint32_t a, uint32_t b, int32_t *sum) { *sum = edgeloop_smlad(a, b, *sum); }
EDGELOOP_INLINE int32_t edgeloop_smlad_from(uint32_t a, uint32_t b, int32_t sum) { return edgeloop_smlad(a, b, sum); }
EDGELOOP_INLINE void edgeloop_smlabt_to(uint32_t a, uint32_t b, int32_t *sum) { *sum = edgeloop_smlabt(a, b, *sum); }
EDGELOOP_INLINE void edgeloop_smlatb_to(uint32_t a, uint32_t b, int32_t *sum) { *sum = edgeloop_smlatb(a, b, *sum); }
EDGELOOP_INLINE int32_t edgeloop_smlatb_from(uint32_t a, uint32_t b, int32_t sum) { return edgeloop_smlatb(a, b, sum); }
#endif

EDGELOOP_INLINE void edgeloop_expand_two_words(const int32_t **from, uint32_t **to) {
    const uint32_t first = (uint32_t)(*from)[0], second = (uint32_t)(*from)[1];
    (*to)[0] = edgeloop_sxtb16(first);
    (*to)[1] = edgeloop_sxtb16(second);
    (*to)[2] = edgeloop_sxtb16_high(first);
    (*to)[3] = edgeloop_sxtb16_high(second);
    *from += 2;
    *to += 4;
}
#if !EDGELOOP_DSP_ASSEMBLER
EDGELOOP_INLINE void edgeloop_expand_four_words(const int32_t **from, uint32_t **to) {
    edgeloop_expand_two_words(from, to);
    edgeloop_expand_two_words(from, to);
}
#endif

/* Pairs of words of bytes, to 16 bits: of each pair (a, b) the bytes 0 and 2 of a and of b, then their bytes 1 and 3. */
EDGELOOP_INLINE void edgeloop_expand_pairs(const int32_t *from, uint32_t *to, uint32_t count) {
    if (count & 1) edgeloop_expand_two_words(&from, &to);
    for (count /= 2; count; count--) edgeloop_expand_four_words(&from, &to);
}

/* Four bytes from any address, the first one lowest. */
EDGELOOP_INLINE uint32_t edgeloop_load4(const void *address) {
    uint32_t word;
    __builtin_memcpy(&word, address, 4);
    return word;
}

/* Up to four bytes; those that are not there count as 0. */
EDGELOOP_INLINE uint32_t edgeloop_load_some(const uint8_t *address, uint32_t count) {
    uint32_t word = 0;
    for (uint32_t i = 0; i < count && i < 4; i++) word |= (uint32_t)address[i] << (8 * i);
    return word;
}

/* The constant of fast rounding: half a unit, and the zero point. */
EDGELOOP_INLINE int32_t edgeloop_fast_offset(int32_t zero_point, int32_t shift) {
    return (int32_t)((uint32_t)(2 * zero_point + 1) << (-shift - 1));
}

/* EDGELOOP_ROUND_FAST, up to the limits: twice the accumulator times the multiplier, rounded to the upper word as
 * SaturatingRoundingDoublingHighMul does, plus half a unit less one for negative values (RoundingDivideByPOT rounds halves
 * away from zero). The sign is that of the accumulator: where the product rounds to 0, one less does not matter. */
EDGELOOP_INLINE int32_t edgeloop_fast_of_double(int32_t twice, int32_t multiplier, int32_t offset, int32_t right) {
    return edgeloop_smmlar(twice, multiplier, edgeloop_wrapping_add(offset, twice >> 31)) >> right;
}

/* EDGELOOP_ROUND_POSITIVE: without the correction of negative values. */
EDGELOOP_INLINE int32_t edgeloop_fast_positive_of_double(int32_t twice, int32_t multiplier, int32_t offset, int32_t right) {
    return edgeloop_smmlar(twice, multiplier, offset) >> right;
}

/* The same of a plain accumulator. */
EDGELOOP_INLINE int32_t edgeloop_fast(int32_t sum, int32_t multiplier, int32_t offset, int32_t right) {
    return edgeloop_smmlar((int32_t)((uint32_t)sum << 1), multiplier, edgeloop_wrapping_add(offset, sum >> 31)) >> right;
}

EDGELOOP_INLINE int32_t edgeloop_fast_positive(int32_t sum, int32_t multiplier, int32_t offset, int32_t right) {
    return edgeloop_smmlar((int32_t)((uint32_t)sum << 1), multiplier, offset) >> right;
}

#endif
#endif
