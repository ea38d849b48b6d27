/* The vector instructions that the kernels use, written in C after the Armv8-M Architecture Reference Manual, for this machine: so that
 * its sanitizers see every access. Only the lanes of a predicate are read or written. What the instructions compute is tested on a core. */
#ifndef VECTORS_IN_C_H
#define VECTORS_IN_C_H

#include <stdint.h>

typedef uint16_t mve_pred16_t; /* a bit for each byte */
#define VECTOR(element, lanes, name) \
    typedef struct {                 \
        element v[lanes];            \
    } name;
VECTOR(int8_t, 16, int8x16_t)
VECTOR(uint8_t, 16, uint8x16_t)
VECTOR(int16_t, 8, int16x8_t)
VECTOR(uint16_t, 8, uint16x8_t)
VECTOR(int32_t, 4, int32x4_t)
VECTOR(uint32_t, 4, uint32x4_t)
typedef struct {
    int32x4_t val[2];
} int32x4x2_t;

/* Functions of their own: else sanitizers make the kernels too long for a compiler. */
#define INLINE static __attribute__((noinline, unused))
#define EACH(lanes) for (uint32_t i = 0; i < (lanes); i++)
#define IN(predicate, bytes) ((predicate) >> (i * (bytes)) & 1u)
#define ALL 0xffffu

/* An access that the core would refuse ends the program. */
INLINE const void *aligned_at(const void *address, uint32_t bytes)
{
    if ((uintptr_t)address % bytes) __builtin_trap();
    return address;
}

/* Predicates of so many lanes. */
INLINE mve_pred16_t lanes_there(uint32_t count, uint32_t bytes)
{
    return (mve_pred16_t)(count * bytes >= 16 ? ALL : (1u << count * bytes) - 1u);
}
INLINE mve_pred16_t vctp8q(uint32_t count)
{
    return lanes_there(count < 16 ? count : 16, 1);
}
INLINE mve_pred16_t vctp16q(uint32_t count)
{
    return lanes_there(count < 8 ? count : 8, 2);
}
INLINE mve_pred16_t vctp32q(uint32_t count)
{
    return lanes_there(count < 4 ? count : 4, 4);
}

/* Lane by lane: `type` has `lanes` of so many bytes, each `element`. */
#define UNARY(name, type, element, lanes, scalar, expression) \
    INLINE type name(type a, scalar b)                        \
    {                                                         \
        type r;                                               \
        EACH(lanes) r.v[i] = (element)(expression);           \
        return r;                                             \
    }
#define DUPLICATE(name, type, element, lanes) \
    INLINE type name(element a)               \
    {                                         \
        type r;                               \
        EACH(lanes) r.v[i] = a;               \
        return r;                             \
    }
DUPLICATE(vdupq_n_s16, int16x8_t, int16_t, 8)
DUPLICATE(vdupq_n_s32, int32x4_t, int32_t, 4)
DUPLICATE(vdupq_n_u8, uint8x16_t, uint8_t, 16)

INLINE int64_t bounded(int64_t value, uint32_t bits)
{
    const int64_t most = ((int64_t)1 << (bits - 1)) - 1;
    return value > most ? most : value < -most - 1 ? -most - 1 : value;
}
INLINE int32_t wrapped(int64_t value)
{
    return (int32_t)(uint32_t)(uint64_t)value;
}
INLINE int32_t high_product(int32_t a, int32_t b)
{
    return (int32_t)bounded(((int64_t)a * b * 2 + ((int64_t)1 << 31)) >> 32, 32);
}
INLINE int32_t shifted(int32_t a, int32_t by)
{
    return by >= 32 ? 0 : by >= 0 ? wrapped((int64_t)((uint64_t)(int64_t)a << by)) : by <= -32 ? (a < 0 ? -1 : 0) : a >> -by;
}
INLINE int32_t rounded(int32_t a, int32_t by)
{
    return by >= 0 ? shifted(a, by) : by < -32 ? 0 : (int32_t)(((int64_t)a + ((int64_t)1 << (-by - 1))) >> -by);
}

UNARY(vaddq_s32, int32x4_t, int32_t, 4, int32x4_t, wrapped((int64_t)a.v[i] + b.v[i]))
UNARY(vaddq_n_s32, int32x4_t, int32_t, 4, int32_t, wrapped((int64_t)a.v[i] + b))
UNARY(vaddq_u16, uint16x8_t, uint16_t, 8, uint16x8_t, (uint32_t)a.v[i] + b.v[i])
UNARY(vsubq_n_s16, int16x8_t, int16_t, 8, int16_t, (uint16_t)(a.v[i] - b))
UNARY(vsubq_n_s32, int32x4_t, int32_t, 4, int32_t, wrapped((int64_t)a.v[i] - b))
UNARY(vandq_s32, int32x4_t, int32_t, 4, int32x4_t, a.v[i] & b.v[i])
UNARY(veorq_u8, uint8x16_t, uint8_t, 16, uint8x16_t, a.v[i] ^ b.v[i])
UNARY(vmaxq_s16, int16x8_t, int16_t, 8, int16x8_t, a.v[i] > b.v[i] ? a.v[i] : b.v[i])
UNARY(vminq_s16, int16x8_t, int16_t, 8, int16x8_t, a.v[i] < b.v[i] ? a.v[i] : b.v[i])
UNARY(vmaxq_s32, int32x4_t, int32_t, 4, int32x4_t, a.v[i] > b.v[i] ? a.v[i] : b.v[i])
UNARY(vminq_s32, int32x4_t, int32_t, 4, int32x4_t, a.v[i] < b.v[i] ? a.v[i] : b.v[i])
UNARY(vmulq_n_u16, uint16x8_t, uint16_t, 8, uint16_t, (uint32_t)a.v[i] * b)
UNARY(vmulq_n_u32, uint32x4_t, uint32_t, 4, uint32_t, a.v[i] * b)
UNARY(vqaddq_n_s16, int16x8_t, int16_t, 8, int16_t, bounded((int64_t)a.v[i] + b, 16))
UNARY(vqrdmulhq_s32, int32x4_t, int32_t, 4, int32x4_t, high_product(a.v[i], b.v[i]))
UNARY(vqrdmulhq_n_s32, int32x4_t, int32_t, 4, int32_t, high_product(a.v[i], b))
UNARY(vshlq_s32, int32x4_t, int32_t, 4, int32x4_t, shifted(a.v[i], b.v[i]))
UNARY(vshlq_n_s16, int16x8_t, int16_t, 8, int32_t, (uint16_t)((uint32_t)(int32_t)a.v[i] << b))
UNARY(vshrq_n_s32, int32x4_t, int32_t, 4, int32_t, a.v[i] >> b)
UNARY(vrshlq_s32, int32x4_t, int32_t, 4, int32x4_t, rounded(a.v[i], b.v[i]))
UNARY(vrshlq_n_s32, int32x4_t, int32_t, 4, int32_t, rounded(a.v[i], b))

INLINE int32x4_t vmlaq_n_s32(int32x4_t sum, int32x4_t a, int32_t b)
{
    EACH(4) sum.v[i] = wrapped(sum.v[i] + (int64_t)a.v[i] * b);
    return sum;
}
INLINE int32_t vmladavaq_s8(int32_t sum, int8x16_t a, int8x16_t b)
{
    EACH(16) sum = wrapped((int64_t)sum + a.v[i] * b.v[i]);
    return sum;
}
INLINE int32_t vmladavaq_s16(int32_t sum, int16x8_t a, int16x8_t b)
{
    EACH(8) sum = wrapped((int64_t)sum + a.v[i] * b.v[i]);
    return sum;
}
INLINE int32_t vaddvaq_s8(int32_t sum, int8x16_t a)
{
    EACH(16) sum = wrapped((int64_t)sum + a.v[i]);
    return sum;
}
INLINE int32x4_t vsetq_lane_s32(int32_t value, int32x4_t a, uint32_t lane)
{
    a.v[lane] = value;
    return a;
}

/* Lanes of even number (b) and of odd number (t). */
#define LONG_LANES(name, odd, second, expression) \
    INLINE int32x4_t name(int16x8_t a, second b)  \
    {                                             \
        int32x4_t r;                              \
        EACH(4)                                   \
        {                                         \
            const uint32_t lane = 2 * i + (odd);  \
            r.v[i] = (expression);                \
        }                                         \
        return r;                                 \
    }
LONG_LANES(vmullbq_int_s16, 0, int16x8_t, a.v[lane] * b.v[lane])
LONG_LANES(vmulltq_int_s16, 1, int16x8_t, a.v[lane] * b.v[lane])
LONG_LANES(vshllbq_n_s16, 0, int32_t, shifted(a.v[lane], b))
LONG_LANES(vshlltq_n_s16, 1, int32_t, shifted(a.v[lane], b))
INLINE int16x8_t vqmovnbq_s32(int16x8_t into, int32x4_t a)
{
    EACH(4) into.v[2 * i] = (int16_t)bounded(a.v[i], 16);
    return into;
}
INLINE int16x8_t vqmovntq_s32(int16x8_t into, int32x4_t a)
{
    EACH(4) into.v[2 * i + 1] = (int16_t)bounded(a.v[i], 16);
    return into;
}
INLINE int8x16_t vqmovnbq_s16(int8x16_t into, int16x8_t a)
{
    EACH(8) into.v[2 * i] = (int8_t)bounded(a.v[i], 8);
    return into;
}

#define REINTERPRET(name, to, from)         \
    INLINE to name(from a)                  \
    {                                       \
        to r;                               \
        __builtin_memcpy(&r, &a, sizeof r); \
        return r;                           \
    }
REINTERPRET(vreinterpretq_s16_s32, int16x8_t, int32x4_t)
REINTERPRET(vreinterpretq_s16_u16, int16x8_t, uint16x8_t)
REINTERPRET(vreinterpretq_s16_s8, int16x8_t, int8x16_t)
REINTERPRET(vreinterpretq_s8_s16, int8x16_t, int16x8_t)
REINTERPRET(vreinterpretq_s8_s32, int8x16_t, int32x4_t)

#define COUNTING(name, type, element, lanes)              \
    INLINE type name(uint32_t first, uint32_t step)       \
    {                                                     \
        type r;                                           \
        EACH(lanes) r.v[i] = (element)(first + i * step); \
        return r;                                         \
    }
COUNTING(vidupq_n_u16, uint16x8_t, uint16_t, 8)
COUNTING(vidupq_n_u32, uint32x4_t, uint32_t, 4)

/* Loads: lanes of `type`, of so many bytes, from `stored` values. */
#define LOAD(name, masked, type, lanes, bytes, stored)         \
    INLINE type masked(const stored *from, mve_pred16_t there) \
    {                                                          \
        type r;                                                \
        (void)aligned_at(from, sizeof(stored));                \
        EACH(lanes) r.v[i] = 0;                                \
        EACH(lanes) if (IN(there, bytes)) r.v[i] = from[i];    \
        return r;                                              \
    }                                                          \
    INLINE type name(const stored *from)                       \
    {                                                          \
        return masked(from, ALL);                              \
    }
LOAD(vldrbq_s8, vldrbq_z_s8, int8x16_t, 16, 1, int8_t)
LOAD(vldrbq_u8, vldrbq_z_u8, uint8x16_t, 16, 1, uint8_t)
LOAD(vldrbq_s16, vldrbq_z_s16, int16x8_t, 8, 2, int8_t)
LOAD(vldrbq_u16, vldrbq_z_u16, uint16x8_t, 8, 2, uint8_t)
LOAD(vld1q_s16, vld1q_z_s16, int16x8_t, 8, 2, int16_t)
LOAD(vldrbq_s32, vldrbq_z_s32, int32x4_t, 4, 4, int8_t)
LOAD(vldrwq_s32, vldrwq_z_s32, int32x4_t, 4, 4, int32_t)
LOAD(vld1q_u16, vld1q_z_u16, uint16x8_t, 8, 2, uint16_t)

#define GATHER(name, type, lanes, bytes, stored, offsets, scale)                                                       \
    INLINE type name(const stored *from, offsets o, mve_pred16_t there)                                                \
    {                                                                                                                  \
        type r;                                                                                                        \
        EACH(lanes) r.v[i] = 0;                                                                                        \
        EACH(lanes) if (IN(there, bytes))                                                                              \
        {                                                                                                              \
            r.v[i] = *(const stored *)aligned_at((const uint8_t *)from + (uintptr_t)o.v[i] * (scale), sizeof(stored)); \
        }                                                                                                              \
        return r;                                                                                                      \
    }
GATHER(vldrbq_gather_offset_z_s16, int16x8_t, 8, 2, int8_t, uint16x8_t, 1)
GATHER(vldrbq_gather_offset_z_s32, int32x4_t, 4, 4, int8_t, uint32x4_t, 1)
GATHER(vldrwq_gather_offset_z_s32, int32x4_t, 4, 4, int32_t, uint32x4_t, 1)
GATHER(vldrwq_gather_shifted_offset_z_s32, int32x4_t, 4, 4, int32_t, uint32x4_t, 4)

INLINE int32x4x2_t vld2q_s32(const int32_t *from)
{
    int32x4x2_t r;
    (void)aligned_at(from, 4);
    EACH(4)
    {
        r.val[0].v[i] = from[2 * i];
        r.val[1].v[i] = from[2 * i + 1];
    }
    return r;
}

#define STORE(name, masked, type, lanes, bytes, stored)           \
    INLINE void masked(stored *to, type a, mve_pred16_t there)    \
    {                                                             \
        (void)aligned_at(to, sizeof(stored));                     \
        EACH(lanes) if (IN(there, bytes)) to[i] = (stored)a.v[i]; \
    }                                                             \
    INLINE void name(stored *to, type a)                          \
    {                                                             \
        masked(to, a, ALL);                                       \
    }
STORE(vstrbq_u8, vstrbq_p_u8, uint8x16_t, 16, 1, uint8_t)
STORE(vstrbq_s16, vstrbq_p_s16, int16x8_t, 8, 2, int8_t)
STORE(vstrbq_s32, vstrbq_p_s32, int32x4_t, 4, 4, int8_t)
STORE(vst1q_s16, vstrhq_p_s16, int16x8_t, 8, 2, int16_t)
STORE(vst1q_s32, vstrwq_p_s32, int32x4_t, 4, 4, int32_t)

INLINE void vstrbq_scatter_offset_s16(int8_t *to, uint16x8_t offsets, int16x8_t a)
{
    EACH(8) to[offsets.v[i]] = (int8_t)a.v[i];
}

#endif
