/* How an accumulator becomes an output value: round(acc * multiplier * 2^(shift - 31)) + zero point, clamped. */
#ifndef EDGELOOP_ROUNDING_H
#define EDGELOOP_ROUNDING_H

enum {
    /* Any multiplier, shift and limits. */
    EDGELOOP_ROUND_EXACT = 0,
    /* Equal results in fewer instructions; the generator has checked that for all channels: shift is -22 .. -1, limits are
     * -128 and 127, and no accumulator's absolute value can reach 2^30. */
    EDGELOOP_ROUND_FAST = 1,
    /* As before, and the output's zero point is -128: negative accumulators all become -128, however they are rounded. */
    EDGELOOP_ROUND_POSITIVE = 2
};

#endif
