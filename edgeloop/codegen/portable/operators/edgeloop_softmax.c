/* SOFTMAX of int8 values in fixed-point arithmetic (reference/softmax.h, gemmlowp's fixedpoint.h).
 * In comments, Qm.n is a 32-bit value with m integer and n fractional bits. */
#include "edgeloop_fixed_point.h"
#include "edgeloop_softmax.h"

enum { SUM_INTEGER_BITS = 12, LOWEST = -128, HIGHEST = 127 };

static int32_t saturating_left_shift(int32_t value, int32_t exponent) {
    const int64_t shifted = (int64_t)value * (INT64_C(1) << exponent);
    return shifted > INT32_MAX ? INT32_MAX : shifted < INT32_MIN ? INT32_MIN : (int32_t)shifted;
}

/* exp of a Q0.31 value from -1/4 to below 0, by the Taylor series around -1/8. */
static int32_t exp_of_last_quarter(int32_t value) {
    const int32_t exp_of_minus_eighth = 1895147668;
    const int32_t third = 715827883;
    const int32_t x = value + (INT32_C(1) << 28);
    const int32_t x2 = edgeloop_high_product(x, x);
    const int32_t x3 = edgeloop_high_product(x2, x);
    const int32_t x4_over_4 = edgeloop_rounded_shift(edgeloop_high_product(x2, x2), 2);
    const int32_t rest = edgeloop_rounded_shift(edgeloop_high_product(x4_over_4 + x3, third) + x2, 1);
    return exp_of_minus_eighth + edgeloop_high_product(exp_of_minus_eighth, x + rest);
}

/* exp of a Q5.26 value not above 0, as Q0.31. */
static int32_t exp_of_negative(int32_t value) {
    /* exp(-1/4), exp(-1/2), exp(-1) ... exp(-16) */
    static const int32_t factors[7] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
    const int32_t quarter = INT32_C(1) << 24;
    const int32_t last = (value & (quarter - 1)) - quarter;
    const int32_t rest = last - value;
    int32_t result = exp_of_last_quarter(saturating_left_shift(last, 5));
    if (value == 0) return INT32_MAX;
    for (int32_t i = 0; i < 7; i++) {
        if (rest & (quarter * (INT32_C(1) << i))) result = edgeloop_high_product(result, factors[i]);
    }
    return result;
}

/* 1 / (1 + x) of a Q0.31 value from 0 to 1, by three steps of Newton's method. */
static int32_t one_over_one_plus(int32_t x) {
    const int32_t half_denominator = (int32_t)(((int64_t)x + INT32_MAX + 1) / 2);
    int32_t result = 1515870810 + edgeloop_high_product(half_denominator, -1010580540); /* 48/17 - 32/17 d, Q2.29 */
    for (int32_t i = 0; i < 3; i++) {
        const int32_t error = (INT32_C(1) << 29) - edgeloop_high_product(half_denominator, result);
        result += saturating_left_shift(edgeloop_high_product(result, error), 2);
    }
    return saturating_left_shift(result, 1);
}

static int32_t leading_zeros(uint32_t value) {
    int32_t count = 0;
    for (; count < 32 && !(value & UINT32_C(0x80000000)); value <<= 1) count++;
    return count;
}

/* exp of a difference to the largest input, which is not below the lowest one that counts. */
static int32_t exp_of_difference(const edgeloop_softmax *layer, int32_t difference) {
    const int32_t shifted = (int32_t)((uint32_t)difference << layer->left_shift);
    return exp_of_negative(edgeloop_high_product(shifted, layer->multiplier));
}

static int32_t largest(const int8_t *input, uint32_t count) {
    int32_t result = LOWEST;
    for (uint32_t i = 0; i < count; i++) result = input[i] > result ? input[i] : result;
    return result;
}

static void softmax_of_position(const edgeloop_softmax *layer, const int8_t *input, int8_t *output) {
    const int32_t top = largest(input, layer->channels);
    uint32_t sum = 0; /* Q12.19 */
    for (uint32_t i = 0; i < layer->channels; i++) {
        if (input[i] - top >= layer->lowest_difference) {
            sum += (uint32_t)edgeloop_rounded_shift(exp_of_difference(layer, input[i] - top), SUM_INTEGER_BITS);
        }
    }
    const int32_t zeros = leading_zeros(sum);
    const int32_t right = SUM_INTEGER_BITS - zeros + 31 - 8;
    const int32_t scale = one_over_one_plus((int32_t)((sum << zeros) - UINT32_C(0x80000000)));
    for (uint32_t i = 0; i < layer->channels; i++) {
        int32_t result = LOWEST;
        /* Beyond 31 (hundreds of classes that are all alike) the reference shifts by more than a word holds. */
        if (input[i] - top >= layer->lowest_difference && right <= 31) {
            result += edgeloop_rounded_shift(edgeloop_high_product(scale, exp_of_difference(layer, input[i] - top)), right);
        }
        output[i] = (int8_t)edgeloop_clamp(result, LOWEST, HIGHEST);
    }
}

void edgeloop_softmax_row(const edgeloop_softmax *layer, const int8_t *input, int8_t *output) {
    for (uint32_t column = 0; column < layer->width; column++, input += layer->channels, output += layer->channels) {
        softmax_of_position(layer, input, output);
    }
}
