/* One inference: the input is received, the network runs, and nodes and tensors are sent.
 *
 * The network overwrites its input. A run that sends every layer's data therefore keeps a copy where the part has memory
 * left for it, and runs once for each layer, whose rows are sent as they come. */
#include "run.h"

#include <stddef.h>
#include <stdint.h>

#include "answers.h"
#include "build.h"
#include "cycles.h"
#include "inference.h"
#include "packets.h"

enum { MODE_LAYERS = 2, MODE_LAYERS_WITH_DATA = 4, MODE_TIMING = 8, OPTION_LOGS = 0x100, OPTION_CONSTANT = 0x200 };
enum { LARGEST_ELEMENT = 8, ROW_BYTES = NETWORK_INPUT_WIDTH * NETWORK_INPUT_CHANNELS * ((NETWORK_INPUT_FORMAT >> 7 & 0x7f) / 8) };

extern uint8_t firmware_spare_begin[], firmware_spare_end[];

void *memcpy(void *restrict target, const void *restrict source, size_t bytes);

static struct {
    uint32_t mode;
    uint8_t element[LARGEST_ELEMENT]; /* what a constant input is filled with */
    bool is_whole;                    /* all of the input has come */
    bool has_run;                     /* while it came: a network that streams its input */
    uint32_t cycles;                  /* of the network */
    uint32_t cycles_reading;          /* of that, waiting for rows of the input */
    uint32_t rows_read;
    uint32_t bytes_sent; /* of the layer that is looked at */
    uint32_t row_bytes;
} run;

static bool observes(void)
{
    return (run.mode & (MODE_LAYERS | MODE_LAYERS_WITH_DATA)) != 0;
}

static bool wants_data(void)
{
    return (run.mode & MODE_LAYERS_WITH_DATA) != 0;
}

static bool is_constant(void)
{
    return (run.mode & OPTION_CONSTANT) != 0;
}

static uint8_t *spare_input(void)
{
    size_t spare = (size_t)(firmware_spare_end - firmware_spare_begin);
    return spare >= NETWORK_INPUT_BYTES ? firmware_spare_begin : NULL;
}

static uint8_t *network_buffer(void)
{
    return observes() ? observed_input() : plain_input();
}

static uint32_t element_bytes(void)
{
    return (NETWORK_INPUT_FORMAT >> 7 & 0x7f) / 8;
}

static void fill(uint8_t *target, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++) {
        target[i] = run.element[i % element_bytes()];
    }
}

/* Rows of an input that is streamed: from the host's message, from the copy, or constant. Waiting for them is no part of
 * the network's cycles. */
static void read_row(void *context, uint32_t row, void *pixels)
{
    uint32_t begin = cycles_now();
    (void)context;
    if (is_constant()) {
        fill(pixels, ROW_BYTES);
    } else if (wants_data()) {
        (void)memcpy(pixels, spare_input() + row * ROW_BYTES, ROW_BYTES);
    } else {
        run.is_whole = run.is_whole && packets_take(NULL, (row - run.rows_read) * ROW_BYTES) && packets_take(pixels, ROW_BYTES);
        run.rows_read = row + 1;
    }
    run.cycles_reading += cycles_between(begin, cycles_now());
}

static void compute(void)
{
    run.cycles_reading = 0;
    run.cycles = observes() ? observed_run(read_row) : plain_run(read_row);
    run.cycles -= run.cycles_reading;
}

/* Takes the input's bytes out of the message: into the copy, into the network's buffer, or row by row as it runs. */
static bool take_input(uint32_t bytes)
{
    if (bytes != NETWORK_INPUT_BYTES || is_constant()) {
        return packets_take(NULL, bytes);
    }
    run.is_whole = true;
    uint8_t *target = wants_data() ? spare_input() : network_buffer();
    if (target != NULL) {
        run.is_whole = packets_take(target, bytes);
        return run.is_whole;
    }
    run.rows_read = 0;
    run.has_run = true;
    compute();
    return run.is_whole && packets_take(NULL, (NETWORK_INPUT_HEIGHT - run.rows_read) * ROW_BYTES);
}

/* A short tensor came where names do. */
static bool take_short(const message *data)
{
    const uint8_t *bytes = (const uint8_t *)data->name;
    if (is_constant() && data->value[4] == element_bytes()) {
        (void)memcpy(run.element, bytes, element_bytes());
        run.is_whole = true;
    } else if (!is_constant() && data->value[4] == NETWORK_INPUT_BYTES && NETWORK_INPUT_BYTES <= NAME_BYTES && network_buffer() != NULL) {
        (void)memcpy(wants_data() ? spare_input() : network_buffer(), bytes, data->value[4]);
        run.is_whole = true;
    }
    return run.is_whole;
}

/* Brings the input into the network's buffer, from where it is kept. */
static void prepare(void)
{
    uint8_t *buffer = network_buffer();
    if (buffer != NULL && is_constant()) {
        fill(buffer, NETWORK_INPUT_BYTES);
    } else if (buffer != NULL && wants_data()) {
        (void)memcpy(buffer, spare_input(), NETWORK_INPUT_BYTES);
    }
}

/* Rows that were passed over, or come twice, would shift what follows: they are filled up, or left out. */
static void send_rows(uint32_t first_row, uint32_t rows, const void *data)
{
    uint32_t begin = first_row * run.row_bytes, bytes = rows * run.row_bytes;
    if (begin == run.bytes_sent) {
        packets_send(data, bytes);
        run.bytes_sent += bytes;
    }
}

static bool send_data(uint32_t layer, const tensor_facts *tensor)
{
    static const uint8_t nothing = 0;
    uint32_t bytes = tensor_bytes(tensor);
    run.bytes_sent = 0;
    run.row_bytes = bytes / tensor->height;
    answer_tensor(STATE_PROCESSING, tensor, true);
    prepare();
    observed_look_at(layer, send_rows);
    uint32_t cycles = run.cycles;
    compute();
    run.cycles = cycles;
    observed_look_at(NETWORK_LAYERS, NULL);
    bool is_complete = run.bytes_sent == bytes;
    for (; run.bytes_sent < bytes; run.bytes_sent++) {
        packets_send(&nothing, 1);
    }
    packets_end();
    return is_complete;
}

static bool send_layer(uint32_t layer, const layer_facts *facts)
{
    uint32_t flags = NODE_INTERNAL | (layer + 1 == NETWORK_LAYERS ? (uint32_t)NODE_LAST : 0);
    tensor_facts tensor = {facts->name, facts->height, facts->width, facts->channels, facts->format, facts->scale, facts->zero_point, FLAG_INTERNAL | FLAG_LAST};
    answer_node(facts->name, facts->type, flags, facts->position, facts->cycles);
    if (wants_data()) {
        return send_data(layer, &tensor);
    }
    answer_tensor(STATE_PROCESSING, &tensor, false);
    return true;
}

/* Cycles come from one run in which nothing is sent: they are kept, since the runs that send data count anew. */
static bool send_layers(void)
{
    static uint32_t cycles[NETWORK_LAYERS];
    for (uint32_t layer = 0; layer < NETWORK_LAYERS; layer++) {
        cycles[layer] = observed_layer(layer).cycles;
    }
    for (uint32_t layer = 0; layer < NETWORK_LAYERS; layer++) {
        layer_facts facts = observed_layer(layer);
        facts.cycles = cycles[layer];
        if (!send_layer(layer, &facts)) {
            return false;
        }
    }
    return true;
}

static void send_output(void)
{
    tensor_facts output = model_output();
    bool with_data = (run.mode & MODE_TIMING) == 0;
    answer_tensor(STATE_DONE, &output, with_data);
    if (with_data) {
        packets_send(observes() ? observed_output() : plain_output(), NETWORK_OUTPUT_BYTES);
        packets_end();
    }
}

/* Waits for the host's acknowledgement. False: it has begun a new request. */
static bool wait_for_acknowledgement(message *request)
{
    message received;
    do {
        receive_message(&received, NULL);
    } while (received.kind == MESSAGE_DATA);
    if (received.kind == MESSAGE_REQUEST) {
        *request = received;
        return false;
    }
    return true;
}

static bool is_this_model(const char *name)
{
    const char *own = MODEL_NAME;
    uint32_t i = 0;
    while (name[i] != 0 && name[i] == own[i]) {
        i++;
    }
    return name[i] == own[i];
}

static bool can_run(const message *request)
{
    if (!is_this_model(request->name)) {
        answer_acknowledgement(STATE_ERROR, 4, ERROR_INVALID_PARAM);
        return false;
    }
    if (wants_data() && !is_constant() && spare_input() == NULL) {
        answer_acknowledgement(STATE_ERROR, NETWORK_INPUT_BYTES, ERROR_MEMORY_OVERFLOW);
        return false;
    }
    return true;
}

/* False: the host has begun a new request. A damaged tensor is refused with what has come of it: nothing. */
static bool receive_input(message *request)
{
    message data;
    bool is_sound = receive_one(&data, take_input);
    if (is_sound && data.kind == MESSAGE_REQUEST) {
        *request = data;
        return false;
    }
    if (is_sound && data.kind == MESSAGE_DATA && !run.is_whole) {
        run.is_whole = take_short(&data);
    }
    run.is_whole = run.is_whole && is_sound && data.kind == MESSAGE_DATA;
    if (!run.is_whole) {
        answer_acknowledgement(STATE_ERROR, is_sound ? data.value[4] : 0, ERROR_INVALID_SIZE);
    } else {
        answer_acknowledgement(STATE_PROCESSING, data.value[4], ERROR_NONE);
    }
    return true;
}

bool run_network(message *request)
{
    run.mode = request->value[3];
    run.is_whole = run.has_run = false;
    if (!can_run(request)) {
        return true;
    }
    if ((run.mode & OPTION_LOGS) != 0) {
        answer_log(BUILD_RUNTIME);
        if (!wait_for_acknowledgement(request)) {
            return false;
        }
    }
    answer_acknowledgement(STATE_WAITING, NETWORK_INPUT_BYTES, ERROR_NONE);
    if (!receive_input(request)) {
        return false;
    }
    if (!run.is_whole) {
        return true;
    }
    if (!wait_for_acknowledgement(request)) {
        return false;
    }
    if (!run.has_run) {
        prepare();
        compute();
    }
    if (observes() && !send_layers()) {
        answer_acknowledgement(STATE_ERROR, 10, ERROR_GENERIC);
        return true;
    }
    answer_node(MODEL_NAME, 0, NODE_MODEL, 0, run.cycles);
    send_output();
    return true;
}
