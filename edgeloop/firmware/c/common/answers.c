/* The device's messages, field by field, last field first (encode.h). */
#include "answers.h"

#include "board.h"
#include "build.h"
#include "clock.h"
#include "cycles.h"
#include "encode.h"
#include "network.h"
#include "packets.h"

enum { SHAPE_AS_IT_IS = 0, SHAPE_BHWC = 2, FORMAT_UINT8 = 0x00040440, PROTOCOL_VERSION = 0x0301 };

/* The runtime is told as the kind whose rules it follows (ST.AI, called by the st-ai interface), compiled by GCC or unknown. */
#ifdef __clang__
#define RUNTIME (1u | 1u << 8)
#else
#define RUNTIME (1u | 1u << 8 | 1u << 16)
#endif

static uint32_t request_number;

void answer_to(uint32_t request)
{
    request_number = request;
}

static void begin_of(uint32_t state, uint32_t field)
{
    encode_inside(field, 0);
    encode_varint(RESPONSE_STATE, state);
    encode_varint(RESPONSE_REQID, request_number);
    encode_send();
}

static void whole(uint32_t state, uint32_t field)
{
    begin_of(state, field);
    packets_end();
}

void answer_sync(void)
{
    encode_begin(0);
    encode_varint(SYNC_RTID, RUNTIME);
    encode_varint(SYNC_CAPABILITY, CAPABILITY_OBSERVER | CAPABILITY_AGREES);
    encode_varint(SYNC_VERSION, PROTOCOL_VERSION);
    whole(STATE_IDLE, RESPONSE_SYNC);
}

void answer_system(void)
{
    encode_begin(0);
    encode_varint(SYSTEM_INFORMATION_CACHE, board_cache_word());
    encode_varint(SYSTEM_INFORMATION_HCLOCK, clock_bus_hz());
    encode_varint(SYSTEM_INFORMATION_SCLOCK, clock_cpu_hz());
    encode_varint(SYSTEM_INFORMATION_DEVID, board_device_id());
    whole(STATE_IDLE, RESPONSE_SINFO);
}

void answer_acknowledgement(uint32_t state, uint32_t parameter, uint32_t error)
{
    encode_begin(0);
    encode_varint(ACKNOWLEDGEMENT_ERROR, error);
    encode_varint(ACKNOWLEDGEMENT_PARAM, parameter);
    whole(state, RESPONSE_ACK);
}

void answer_refusal(void)
{
    answer_acknowledgement(STATE_ERROR, FAILURE_INVALID_PARAM, FAILURE_INVALID_PARAM);
}

void answer_agreement(uint32_t state, uint32_t rate, uint32_t size, uint32_t bytes)
{
    encode_begin(bytes);
    encode_bulk(AGREEMENT_DATAS, bytes);
    encode_varint(AGREEMENT_SIZE, size);
    encode_varint(AGREEMENT_RATE, rate);
    begin_of(state, RESPONSE_AGREEMENT);
    if (bytes == 0) {
        packets_end();
    }
}

void answer_log(const char *text)
{
    encode_begin(0);
    encode_text(LOG_STR, text);
    encode_varint(LOG_LEVEL, 0);
    whole(STATE_WAITING, RESPONSE_LOG);
}

void answer_node(const char *name, uint32_t type, uint32_t flags, uint32_t id, run_cost cost)
{
    encode_begin(0);
    encode_signed(OPERATOR_HEAP_USED, -1);
    encode_signed(OPERATOR_STACK_USED, cost.stack_bytes);
    encode_varint(OPERATOR_COUNTERS, 0);
    encode_varint(OPERATOR_COUNTERS, cost.cycles);
    encode_varint(OPERATOR_COUNTER_TYPE, 0);
    encode_float(OPERATOR_DURATION, (float)cost.cycles / (float)cycles_per_millisecond());
    encode_varint(OPERATOR_ID, id);
    encode_varint(OPERATOR_TYPE, flags << 24 | type);
    encode_text(OPERATOR_NAME, name);
    whole(STATE_PROCESSING, RESPONSE_OP);
}

static uint32_t elements_of(const tensor_facts *tensor)
{
    return tensor->height == 0 ? tensor->channels : tensor->height * tensor->width * tensor->channels;
}

uint32_t tensor_bytes(const tensor_facts *tensor)
{
    return elements_of(tensor) * ((tensor->format >> 7 & 0x7f) / 8);
}

static void describe(uint32_t field, const tensor_facts *tensor)
{
    uint32_t mark = encode_mark();
    encode_varint(TENSOR_DESCRIPTION_FLAGS, tensor->flags);
    encode_varint(TENSOR_DESCRIPTION_ADDR, 0);
    encode_signed(TENSOR_DESCRIPTION_ZEROPOINT, tensor->zero_point);
    encode_float(TENSOR_DESCRIPTION_SCALE, tensor->scale);
    encode_varint(TENSOR_DESCRIPTION_DIMS, tensor->channels);
    if (tensor->height != 0) {
        encode_varint(TENSOR_DESCRIPTION_DIMS, tensor->width);
        encode_varint(TENSOR_DESCRIPTION_DIMS, tensor->height);
    }
    encode_varint(TENSOR_DESCRIPTION_DIMS, 1);
    encode_varint(TENSOR_DESCRIPTION_N_DIMS, tensor->height == 0 ? (uint32_t)SHAPE_AS_IT_IS << 24 | 2 : (uint32_t)SHAPE_BHWC << 24 | 4);
    encode_varint(TENSOR_DESCRIPTION_SIZE, elements_of(tensor));
    encode_varint(TENSOR_DESCRIPTION_FORMAT, tensor->format);
    encode_text(TENSOR_DESCRIPTION_NAME, tensor->name);
    encode_inside(field, mark);
}

/* Memory that a model takes, as a tensor of bytes. */
static void describe_pool(uint32_t field, const char *name, uint32_t bytes)
{
    uint32_t mark = encode_mark();
    encode_varint(TENSOR_DESCRIPTION_FLAGS, TENSOR_FLAG_MEMPOOL);
    encode_varint(TENSOR_DESCRIPTION_ADDR, 0);
    encode_signed(TENSOR_DESCRIPTION_ZEROPOINT, 0);
    encode_float(TENSOR_DESCRIPTION_SCALE, 0.0f);
    encode_varint(TENSOR_DESCRIPTION_DIMS, bytes);
    encode_varint(TENSOR_DESCRIPTION_N_DIMS, 1);
    encode_varint(TENSOR_DESCRIPTION_SIZE, bytes);
    encode_varint(TENSOR_DESCRIPTION_FORMAT, FORMAT_UINT8);
    encode_text(TENSOR_DESCRIPTION_NAME, name);
    encode_inside(field, mark);
}

tensor_facts model_input(void)
{
    return (tensor_facts){"input",
                          NETWORK_INPUT_HEIGHT,
                          NETWORK_INPUT_WIDTH,
                          NETWORK_INPUT_CHANNELS,
                          NETWORK_INPUT_FORMAT,
                          (float)NETWORK_INPUT_SCALE,
                          NETWORK_INPUT_ZERO_POINT,
                          TENSOR_FLAG_INPUT | TENSOR_FLAG_LAST};
}

tensor_facts model_output(void)
{
    return (tensor_facts){"output",
                          0,
                          0,
                          NETWORK_OUTPUT_SIZE,
                          NETWORK_OUTPUT_FORMAT,
                          (float)NETWORK_OUTPUT_SCALE,
                          NETWORK_OUTPUT_ZERO_POINT,
                          TENSOR_FLAG_OUTPUT | TENSOR_FLAG_LAST};
}

void answer_model(void)
{
    tensor_facts input = model_input(), output = model_output();
    encode_begin(0);
    encode_text(MODEL_INFORMATION_RUNTIME_DESC, BUILD_RUNTIME);
    describe_pool(MODEL_INFORMATION_PARAMS, "weights", NETWORK_WEIGHT_BYTES);
    encode_varint(MODEL_INFORMATION_N_PARAMS, 1);
    describe_pool(MODEL_INFORMATION_ACTIVATIONS, "activations", NETWORK_ACTIVATION_BYTES);
    encode_varint(MODEL_INFORMATION_N_ACTIVATIONS, 1);
    describe(MODEL_INFORMATION_OUTPUTS, &output);
    encode_varint(MODEL_INFORMATION_N_OUTPUTS, 1);
    describe(MODEL_INFORMATION_INPUTS, &input);
    encode_varint(MODEL_INFORMATION_N_INPUTS, 1);
    encode_varint(MODEL_INFORMATION_N_NODES, NETWORK_LAYERS);
    encode_varint(MODEL_INFORMATION_N_MACC, NETWORK_MACS);
    encode_varint(MODEL_INFORMATION_TOOL_VERSION, BUILD_VERSION);
    encode_varint(MODEL_INFORMATION_RUNTIME_VERSION, BUILD_VERSION);
    encode_text(MODEL_INFORMATION_COMPILE_DATETIME, BUILD_TIME);
    encode_text(MODEL_INFORMATION_SIGNATURE, NETWORK_SIGNATURE);
    encode_varint(MODEL_INFORMATION_RTID, RUNTIME);
    encode_text(MODEL_INFORMATION_NAME, MODEL_NAME);
    whole(STATE_IDLE, RESPONSE_MINFO);
}

void answer_tensor(uint32_t state, const tensor_facts *tensor, bool data_follows)
{
    uint32_t bulk = data_follows ? tensor_bytes(tensor) : 0;
    tensor_facts told = *tensor;
    told.flags |= data_follows ? 0 : TENSOR_FLAG_NO_DATA;
    encode_begin(bulk);
    encode_bulk(DATA_DATAS, bulk);
    encode_varint(DATA_ADDR, 0);
    encode_varint(DATA_SIZE, bulk);
    encode_varint(DATA_TYPE, 0);
    encode_inside(TENSOR_DATA, 0);
    describe(TENSOR_DESC, &told);
    begin_of(state, RESPONSE_TENSOR);
    if (!data_follows) {
        packets_end();
    }
}
