/* Messages of one layer follow each other at once: clients wait 50 s for a node, and 100 ms for each of its tensors. So no
 * node is sent before its tensor is there. Layers' outputs are kept as they are computed, as many in one run as the part has
 * memory for; what is larger than all of that is sent row by row while the network runs again, from its first row on. */
#include "layers.h"

#include <stddef.h>

#include "answers.h"
#include "cycles.h"
#include "inference.h"
#include "input.h"
#include "packets.h"
#include "store.h"

static struct {
    uint32_t begin; /* of the outputs, in the store */
    uint32_t first; /* layers that are kept in this run, */
    uint32_t end;   /* this one no more */
} kept;

/* Of each layer: where its output lies in the store, how many bytes of it have come, and cycles of the first run. */
static uint32_t place[NETWORK_LAYERS], come[NETWORK_LAYERS], cycles[NETWORK_LAYERS];

static tensor_facts tensor_of(uint32_t layer)
{
    layer_facts facts = observed_layer(layer);
    return (tensor_facts){facts.name,   facts.height, facts.width,      facts.channels,
                          facts.format, facts.scale,  facts.zero_point, TENSOR_FLAG_INTERNAL | TENSOR_FLAG_LAST};
}

static uint32_t bytes_of(uint32_t layer)
{
    tensor_facts tensor = tensor_of(layer);
    return tensor_bytes(&tensor);
}

/* Chooses what the next run keeps: layers from `first` on. */
static void choose(uint32_t first)
{
    uint32_t used = kept.begin, bytes;
    kept.first = kept.end = first;
    while (kept.end < NETWORK_LAYERS && (bytes = bytes_of(kept.end)) <= store_bytes() - used) {
        place[kept.end] = used;
        come[kept.end] = 0;
        used += bytes;
        kept.end++;
    }
}

/* Bytes of these rows, where they are the next ones: rows that were passed over, or came twice, would shift what follows. */
static uint32_t next_bytes(uint32_t layer, uint32_t first_row, uint32_t rows)
{
    uint32_t row_bytes = bytes_of(layer) / observed_layer(layer).height;
    return first_row * row_bytes == come[layer] ? rows * row_bytes : 0;
}

static void keep_rows(uint32_t layer, uint32_t first_row, uint32_t rows, const void *data)
{
    uint32_t begin = cycles_now();
    if (layer >= kept.first && layer < kept.end) {
        uint32_t bytes = next_bytes(layer, first_row, rows);
        store_write(place[layer] + come[layer], data, bytes);
        come[layer] += bytes;
    }
    cycles_set_aside(begin);
}

/* The node and the head of its tensor; where data follow, they must. */
static void send_head(uint32_t layer, bool data_follow)
{
    layer_facts facts = observed_layer(layer);
    tensor_facts tensor = tensor_of(layer);
    uint32_t flags = OPERATOR_FLAG_INTERNAL | (layer + 1 == NETWORK_LAYERS ? (uint32_t)OPERATOR_FLAG_LAST : 0);
    answer_node(facts.name, facts.type, flags, facts.position, (run_cost){cycles[layer], NOT_MEASURED});
    answer_tensor(STATE_PROCESSING, &tensor, data_follow);
}

static void send_kept_layer(uint32_t layer)
{
    send_head(layer, true);
    uint32_t piece;
    for (uint32_t sent = 0; sent < come[layer]; sent += piece) {
        piece = come[layer] - sent;
        const uint8_t *data = store_at(place[layer] + sent, &piece);
        packets_send(data, piece);
    }
    packets_end();
}

static bool send_kept(void)
{
    for (uint32_t layer = kept.first; layer < kept.end; layer++) {
        if (come[layer] != bytes_of(layer)) {
            return false;
        }
        send_kept_layer(layer);
    }
    return true;
}

/* Of the layer that is too large to be kept. */
static void send_rows(uint32_t layer, uint32_t first_row, uint32_t rows, const void *data)
{
    if (layer != kept.first) {
        return;
    }
    uint32_t bytes = next_bytes(layer, first_row, rows);
    if (come[layer] == 0 && bytes > 0) {
        send_head(layer, true);
    }
    packets_send(data, bytes);
    come[layer] += bytes;
}

static bool send_too_large(uint32_t layer)
{
    static const uint8_t nothing = 0;
    come[layer] = 0;
    observed_show_to(send_rows);
    input_run_again();
    uint32_t sent = come[layer], bytes = bytes_of(layer);
    if (sent > 0) {
        for (uint32_t at = sent; at < bytes; at++) {
            packets_send(&nothing, 1);
        }
        packets_end();
    }
    return sent == bytes;
}

static bool send_next(uint32_t first)
{
    choose(first);
    if (kept.end == first) {
        kept.end++;
        return send_too_large(first);
    }
    observed_show_to(keep_rows);
    input_run_again();
    return send_kept();
}

static bool send_with_data(void)
{
    bool is_sound = send_kept();
    while (is_sound && kept.end < NETWORK_LAYERS) {
        is_sound = send_next(kept.end);
    }
    return is_sound;
}

void layers_forget(void)
{
    observed_show_to(NULL);
}

bool layers_fit_one_run(void)
{
    uint32_t bytes = 0;
    for (uint32_t layer = 0; layer < NETWORK_LAYERS; layer++) {
        bytes += bytes_of(layer);
    }
    return bytes <= store_bytes();
}

void layers_keep(uint32_t taken)
{
    kept.begin = taken;
    choose(0);
    observed_show_to(keep_rows);
}

bool layers_send(bool with_data)
{
    for (uint32_t layer = 0; layer < NETWORK_LAYERS; layer++) {
        cycles[layer] = observed_layer(layer).cycles;
    }
    if (with_data) {
        return send_with_data();
    }
    for (uint32_t layer = 0; layer < NETWORK_LAYERS; layer++) {
        send_head(layer, false);
    }
    return true;
}
