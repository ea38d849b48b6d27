/* A network with a buffer for its input is given all of it; one that streams its input asks for a row at a time. */
#include "input.h"

#include <stddef.h>

#include "cycles.h"
#include "inference.h"
#include "packets.h"
#include "stack.h"
#include "store.h"

enum { LARGEST_ELEMENT = 8, ELEMENT_BYTES = (NETWORK_INPUT_FORMAT >> 7 & 0x7f) / 8 };
enum { ROW_BYTES = NETWORK_INPUT_WIDTH * NETWORK_INPUT_CHANNELS * ELEMENT_BYTES };

void *memcpy(void *restrict target, const void *restrict source, size_t bytes);

static struct {
    input_use use;
    uint8_t element[LARGEST_ELEMENT]; /* what a constant input is filled with */
    bool is_whole;                    /* all of it has come */
    bool has_run;                     /* while it came */
    run_cost cost;                    /* of that run */
    uint32_t rows_read;
} input;

static uint8_t *buffer(void)
{
    return input.use.is_observed ? observed_input() : plain_input();
}

static void fill(uint8_t *target, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++) {
        target[i] = input.element[i % ELEMENT_BYTES];
    }
}

/* Waiting for rows is no part of the network's cycles. */
static void read_row(void *context, uint32_t row, void *pixels)
{
    uint32_t begin = cycles_now();
    (void)context;
    if (input.use.is_constant) {
        fill(pixels, ROW_BYTES);
    } else if (input.use.is_kept) {
        store_read(row * ROW_BYTES, pixels, ROW_BYTES);
    } else {
        input.is_whole = input.is_whole && packets_take(NULL, (row - input.rows_read) * ROW_BYTES) && packets_take(pixels, ROW_BYTES);
        input.rows_read = row + 1;
    }
    cycles_set_aside(begin);
}

static run_cost run(void)
{
    (void)cycles_aside();
    if (input.use.is_observed) {
        uint32_t cycles = observed_run(read_row);
        return (run_cost){cycles - cycles_aside(), NOT_MEASURED};
    }
    stack_paint();
    uint32_t cycles = plain_run(read_row);
    return (run_cost){cycles - cycles_aside(), stack_used()};
}

void input_begin(input_use use)
{
    input.use = use;
    input.is_whole = input.has_run = false;
}

bool input_is_whole(void)
{
    return input.is_whole;
}

static bool take_copy(void)
{
    uint32_t piece;
    for (uint32_t place = 0; place < NETWORK_INPUT_BYTES; place += piece) {
        piece = NETWORK_INPUT_BYTES - place;
        uint8_t *target = store_at(place, &piece);
        if (!packets_take(target, piece)) {
            return false;
        }
    }
    return true;
}

static bool take_rows(void)
{
    input.rows_read = 0;
    input.is_whole = input.has_run = true;
    input.cost = run();
    return input.is_whole && packets_take(NULL, (NETWORK_INPUT_HEIGHT - input.rows_read) * ROW_BYTES);
}

bool input_take(uint32_t bytes)
{
    if (bytes != NETWORK_INPUT_BYTES || input.use.is_constant) {
        return packets_take(NULL, bytes);
    }
    if (input.use.is_kept) {
        input.is_whole = take_copy();
    } else if (buffer() != NULL) {
        input.is_whole = packets_take(buffer(), bytes);
    } else {
        input.is_whole = take_rows();
    }
    return input.is_whole;
}

void input_take_short(const message *data)
{
    uint32_t bytes = data->value[DATA_DATAS];
    if (input.use.is_constant && bytes == ELEMENT_BYTES) {
        (void)memcpy(input.element, data->name, bytes);
        input.is_whole = true;
    } else if (!input.use.is_constant && bytes == NETWORK_INPUT_BYTES && bytes <= NAME_BYTES && (input.use.is_kept || buffer() != NULL)) {
        if (input.use.is_kept) {
            store_write(0, data->name, bytes);
        } else {
            (void)memcpy(buffer(), data->name, bytes);
        }
        input.is_whole = true;
    }
}

run_cost input_run(void)
{
    if (input.has_run) {
        return input.cost;
    }
    if (buffer() != NULL && input.use.is_constant) {
        fill(buffer(), NETWORK_INPUT_BYTES);
    } else if (buffer() != NULL && input.use.is_kept) {
        store_read(0, buffer(), NETWORK_INPUT_BYTES);
    }
    return run();
}

void input_run_again(void)
{
    (void)input_run();
}
