/* The network with its layers observed: cycles of each, and its rows. Compiled with NETWORK_OBSERVE. */
#include "inference.h"

#include <stddef.h>

#include "cycles.h"

static uint32_t cycles_of[NETWORK_LAYERS];
static uint32_t begun_at;
static row_taker taker;

void network_on_begin(uint32_t layer)
{
    (void)layer;
    begun_at = cycles_now();
}

void network_on_end(uint32_t layer)
{
    cycles_of[layer] += cycles_between(begun_at, cycles_now());
}

void network_on_rows(uint32_t layer, uint32_t first_row, uint32_t rows, const void *data)
{
    if (taker != NULL) {
        taker(layer, first_row, rows, data);
    }
}

void *observed_input(void)
{
#ifdef NETWORK_STREAM_INPUT
    return NULL;
#else
    return network_input();
#endif
}

uint32_t observed_run(row_source read)
{
    for (uint32_t i = 0; i < NETWORK_LAYERS; i++) {
        cycles_of[i] = 0;
    }
    uint32_t begin = cycles_now();
#ifdef NETWORK_STREAM_INPUT
    network_run(read, NULL);
#else
    (void)read;
    network_run();
#endif
    return cycles_between(begin, cycles_now());
}

const void *observed_output(void)
{
    return network_output();
}

void observed_show_to(row_taker take)
{
    taker = take;
}

layer_facts observed_layer(uint32_t layer)
{
    const network_layer_info *info = &network_layer_table[layer];
    return (layer_facts){info->name,     info->type,   info->position, info->height,     info->width,
                         info->channels, info->format, info->scale,    info->zero_point, cycles_of[layer]};
}
