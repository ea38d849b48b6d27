/* The tiny network; the rules of its weights are repeated in tiny.py. Like generated code it overwrites its input. */
#include "network.h"

#include <stddef.h>

#ifndef NETWORK_ARENA_ATTRIBUTE
#define NETWORK_ARENA_ATTRIBUTE
#endif

#ifdef NETWORK_OBSERVE
#define BEGIN(layer) network_on_begin(layer)
#define END(layer) network_on_end(layer)
#define ROWS(layer, first, data) network_on_rows(layer, first, 1, data)

const network_layer_info network_layer_table[NETWORK_LAYERS] = {
    {"mix", 0x103, 1, 16, 16, 4, 0x00840440u, 0.5f, -3, 3072u},
    {"scores", 0x104, 4, 1, 1, 5, 0x00821040u, 0.0f, 0, 5120u},
};
#else
#define BEGIN(layer)
#define END(layer)
#define ROWS(layer, first, data)
#endif

enum { SIDE = 16, COLOURS = 3, MIXED = 4, SCORES = 5 };

NETWORK_ARENA_ATTRIBUTE static union {
    struct {
        uint8_t input[SIDE * SIDE * COLOURS];
        int8_t mixed[SIDE * SIDE * MIXED];
        float scores[SCORES + 3];
    } part;
    double alignment;
} arena;

void network_init(void)
{
    for (uint32_t i = 0; i < SCORES; i++) {
        arena.part.scores[i] = 0.0f;
    }
}

static int8_t saturate(int32_t value)
{
    return (int8_t)(value < -128 ? -128 : value > 127 ? 127 : value);
}

static void mix_row(uint32_t y, const uint8_t *pixels)
{
    int8_t *mixed = arena.part.mixed + y * SIDE * MIXED;
    for (uint32_t x = 0; x < SIDE; x++) {
        for (int32_t o = 0; o < MIXED; o++) {
            int32_t sum = 3;
            for (int32_t c = 0; c < COLOURS; c++) {
                sum += ((int32_t)pixels[x * COLOURS + (uint32_t)c] - 128) * (o * 5 + c * 3 - 9);
            }
            mixed[x * MIXED + (uint32_t)o] = saturate((sum >> 4) - 3);
        }
    }
}

static void score(void)
{
    for (uint32_t o = 0; o < SCORES; o++) {
        int32_t sum = 0;
        for (uint32_t i = 0; i < SIDE * SIDE * MIXED; i++) {
            sum += (arena.part.mixed[i] + 3) * ((int32_t)((i * (o + 2) * 7) % 31u) - 15);
        }
        arena.part.scores[o] = (float)sum * 0.00390625f;
    }
}

static void compute_row(uint32_t y, const uint8_t *pixels)
{
    BEGIN(0u);
    mix_row(y, pixels);
    END(0u);
    ROWS(0u, y, arena.part.mixed + y * SIDE * MIXED);
}

static void finish(void)
{
    BEGIN(1u);
    score();
    END(1u);
    ROWS(1u, 0u, arena.part.scores);
}

#ifdef TINY_STREAMS
void network_run(network_row_reader read, void *context)
{
    uint8_t row[SIDE * COLOURS];
    for (uint32_t y = 0; y < SIDE; y++) {
        read(context, y, row);
        compute_row(y, row);
    }
    finish();
}
#else
void *network_input(void)
{
    return arena.part.input;
}

void network_run(void)
{
    for (uint32_t y = 0; y < SIDE; y++) {
        uint8_t *row = arena.part.input + y * SIDE * COLOURS;
        compute_row(y, row);
        for (uint32_t i = 0; i < SIDE * COLOURS; i++) {
            row[i] = 0xdd;
        }
    }
    finish();
}
#endif

const float *network_output(void)
{
    return arena.part.scores;
}
