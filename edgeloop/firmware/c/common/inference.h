/* The network, twice: as it is, and with its layers observed (compiled with NETWORK_OBSERVE, under other names).
 *
 * What is timed is the first one: observation costs instructions. Both share their weights, and their arenas lie in the same
 * memory, so that only one of them holds an input or a result at a time. */
#ifndef INFERENCE_H
#define INFERENCE_H

#include <stdbool.h>
#include <stdint.h>

/* The generated code's own names, under others; inference_observed.c and the observed network.c are compiled with these. */
#ifdef NETWORK_OBSERVE
#define network_init observed_network_init
#define network_input observed_network_input
#define network_run observed_network_run
#define network_output observed_network_output
#endif

#include "network.h"

/* Writes input row `row` to `pixels`; for networks that have no buffer for their whole input. */
typedef void (*row_source)(void *context, uint32_t row, void *pixels);

/* Called with rows of a layer's output as they have just been computed; outside the time that is counted for layers. */
typedef void (*row_taker)(uint32_t layer, uint32_t first_row, uint32_t rows, const void *data);

typedef struct {
    const char *name;
    uint32_t type;
    uint32_t position;
    uint32_t height;
    uint32_t width;
    uint32_t channels;
    uint32_t format;
    float scale;
    int32_t zero_point;
    uint32_t cycles; /* in the last observed run */
} layer_facts;

/* Where the input is to be written before a run; NULL for a network that streams it. */
void *plain_input(void);
void *observed_input(void);

/* One inference; `read` is only used by a network that streams its input. Gives the cycles from before the call of
 * network_run until after it. */
uint32_t plain_run(row_source read);
uint32_t observed_run(row_source read);

const void *plain_output(void);
const void *observed_output(void);

/* The rows of all layers go to `take` in the runs that follow; NULL: nobody looks. */
void observed_show_to(row_taker take);

layer_facts observed_layer(uint32_t layer);

#endif
