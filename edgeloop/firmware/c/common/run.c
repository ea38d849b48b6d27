/* One inference: the input is received, the network runs, and nodes and tensors are sent. */
#include "run.h"

#include <stddef.h>
#include <stdint.h>

#include "answers.h"
#include "build.h"
#include "inference.h"
#include "input.h"
#include "layers.h"
#include "packets.h"
#include "store.h"

enum { MODE_OBSERVED = RUN_FLAG_PER_LAYER | RUN_FLAG_PER_LAYER_WITH_DATA };

static uint32_t mode;

static bool has(uint32_t flags)
{
    return (mode & flags) != 0;
}

static void send_output(void)
{
    tensor_facts output = model_output();
    bool with_data = !has(RUN_FLAG_PERF);
    answer_tensor(STATE_DONE, &output, with_data);
    if (with_data) {
        packets_send(has(MODE_OBSERVED) ? observed_output() : plain_output(), NETWORK_OUTPUT_BYTES);
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

/* Prepares for the run that is asked for, or refuses it. */
static bool begin(const message *request)
{
    mode = request->value[REQUEST_PARAM];
    if (!is_this_model(request->name)) {
        answer_refusal();
        return false;
    }
    input_use use = {has(MODE_OBSERVED), has(RUN_FLAG_CONST_VALUE), false};
    use.is_kept = has(RUN_FLAG_PER_LAYER_WITH_DATA) && !use.is_constant && !layers_fit_one_run();
    if (use.is_kept && store_bytes() < NETWORK_INPUT_BYTES) {
        answer_acknowledgement(STATE_ERROR, NETWORK_INPUT_BYTES, FAILURE_MEM_OVERFLOW);
        return false;
    }
    input_begin(use);
    if (has(RUN_FLAG_PER_LAYER_WITH_DATA)) {
        layers_keep(use.is_kept ? NETWORK_INPUT_BYTES : 0);
    } else {
        layers_forget();
    }
    return true;
}

/* False: the host has begun a new request. A damaged tensor is refused with what has come of it: nothing. */
static bool receive_input(message *request, bool *is_whole)
{
    message data;
    bool is_sound = receive_one(&data, input_take);
    if (is_sound && data.kind == MESSAGE_REQUEST) {
        *request = data;
        return false;
    }
    bool is_tensor = is_sound && data.kind == MESSAGE_DATA;
    if (is_tensor && !input_is_whole()) {
        input_take_short(&data);
    }
    *is_whole = is_tensor && input_is_whole();
    if (*is_whole) {
        answer_acknowledgement(STATE_PROCESSING, data.value[DATA_DATAS], FAILURE_NONE);
    } else {
        answer_acknowledgement(STATE_ERROR, is_sound ? data.value[DATA_DATAS] : 0, FAILURE_INVALID_SIZE);
    }
    return true;
}

bool run_network(message *request)
{
    if (!begin(request)) {
        return true;
    }
    if (has(RUN_FLAG_DEBUG)) {
        answer_log(BUILD_RUNTIME);
        if (!wait_for_acknowledgement(request)) {
            return false;
        }
    }
    answer_acknowledgement(STATE_WAITING, NETWORK_INPUT_BYTES, FAILURE_NONE);
    bool is_whole;
    if (!receive_input(request, &is_whole)) {
        return false;
    }
    if (!is_whole) {
        return true;
    }
    if (!wait_for_acknowledgement(request)) {
        return false;
    }
    run_cost cost = input_run();
    if (has(MODE_OBSERVED) && !layers_send(has(RUN_FLAG_PER_LAYER_WITH_DATA))) {
        answer_acknowledgement(STATE_ERROR, FAILURE_GENERIC, FAILURE_GENERIC);
        return true;
    }
    answer_node(MODEL_NAME, 0, 0, 0, cost);
    send_output();
    return true;
}
