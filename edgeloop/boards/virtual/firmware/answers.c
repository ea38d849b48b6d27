/* The device's messages, field by field, last field first (encode.h). */
#include "answers.h"

#include "build.h"
#include "cycles.h"
#include "encode.h"
#include "network.h"
#include "packets.h"

enum { RESPONSE_SYNC = 10, RESPONSE_SYSTEM = 11, RESPONSE_ACK = 12, RESPONSE_LOG = 13, RESPONSE_NODE = 16, RESPONSE_TENSOR = 17, RESPONSE_MODEL = 22 };
enum { SHAPE_AS_IT_IS = 0, SHAPE_BHWC = 2, FLAG_MEMORY_POOL = 8, FORMAT_UINT8 = 0x00040440, CAPABILITY_OBSERVER = 1 };

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
    encode_varint(2, state);
    encode_varint(1, request_number);
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
    encode_varint(5, RUNTIME);
    encode_varint(4, CAPABILITY_OBSERVER);
    encode_varint(1, 0x0301);
    whole(STATE_IDLE, RESPONSE_SYNC);
}

void answer_system(void)
{
    encode_begin(0);
    encode_varint(4, (uint32_t)PART_SERIES << 24);
    encode_varint(3, PART_BUS_HZ);
    encode_varint(2, PART_CLOCK_HZ);
    encode_varint(1, PART_DEVICE_ID);
    whole(STATE_IDLE, RESPONSE_SYSTEM);
}

void answer_acknowledgement(uint32_t state, uint32_t parameter, uint32_t error)
{
    encode_begin(0);
    encode_varint(2, error);
    encode_varint(1, parameter);
    whole(state, RESPONSE_ACK);
}

void answer_log(const char *text)
{
    encode_begin(0);
    encode_text(2, text);
    encode_varint(1, 0);
    whole(STATE_WAITING, RESPONSE_LOG);
}

void answer_node(const char *name, uint32_t type, uint32_t flags, uint32_t id, uint32_t cycles)
{
    encode_begin(0);
    encode_signed(8, -1);
    encode_signed(7, -1);
    encode_varint(6, 0);
    encode_varint(6, cycles);
    encode_varint(5, 0);
    encode_float(4, (float)cycles / (float)CYCLES_PER_MILLISECOND);
    encode_varint(3, id);
    encode_varint(2, flags << 24 | type);
    encode_text(1, name);
    whole(STATE_PROCESSING, RESPONSE_NODE);
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
    encode_varint(9, tensor->flags);
    encode_varint(8, 0);
    encode_signed(7, tensor->zero_point);
    encode_float(6, tensor->scale);
    encode_varint(5, tensor->channels);
    if (tensor->height != 0) {
        encode_varint(5, tensor->width);
        encode_varint(5, tensor->height);
    }
    encode_varint(5, 1);
    encode_varint(4, tensor->height == 0 ? (uint32_t)SHAPE_AS_IT_IS << 24 | 2 : (uint32_t)SHAPE_BHWC << 24 | 4);
    encode_varint(3, elements_of(tensor));
    encode_varint(2, tensor->format);
    encode_text(1, tensor->name);
    encode_inside(field, mark);
}

/* Memory that a model takes, as a tensor of bytes. */
static void describe_pool(uint32_t field, const char *name, uint32_t bytes)
{
    uint32_t mark = encode_mark();
    encode_varint(9, FLAG_MEMORY_POOL);
    encode_varint(8, 0);
    encode_signed(7, 0);
    encode_float(6, 0.0f);
    encode_varint(5, bytes);
    encode_varint(4, 1);
    encode_varint(3, bytes);
    encode_varint(2, FORMAT_UINT8);
    encode_text(1, name);
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
                          FLAG_INPUT | FLAG_LAST};
}

tensor_facts model_output(void)
{
    return (tensor_facts){"output", 0, 0, NETWORK_OUTPUT_SIZE, NETWORK_OUTPUT_FORMAT, (float)NETWORK_OUTPUT_SCALE, NETWORK_OUTPUT_ZERO_POINT, FLAG_OUTPUT | FLAG_LAST};
}

void answer_model(void)
{
    tensor_facts input = model_input(), output = model_output();
    encode_begin(0);
    encode_text(20, BUILD_RUNTIME);
    describe_pool(17, "weights", NETWORK_WEIGHT_BYTES);
    encode_varint(16, 1);
    describe_pool(15, "activations", NETWORK_ACTIVATION_BYTES);
    encode_varint(14, 1);
    describe(13, &output);
    encode_varint(12, 1);
    describe(11, &input);
    encode_varint(10, 1);
    encode_varint(8, NETWORK_LAYERS);
    encode_varint(7, NETWORK_MACS);
    encode_varint(6, BUILD_VERSION);
    encode_varint(5, BUILD_VERSION);
    encode_text(4, BUILD_TIME);
    encode_text(3, NETWORK_SIGNATURE);
    encode_varint(2, RUNTIME);
    encode_text(1, MODEL_NAME);
    whole(STATE_IDLE, RESPONSE_MODEL);
}

void answer_tensor(uint32_t state, const tensor_facts *tensor, bool data_follows)
{
    uint32_t bulk = data_follows ? tensor_bytes(tensor) : 0;
    tensor_facts told = *tensor;
    told.flags |= data_follows ? 0 : FLAG_NO_DATA;
    encode_begin(bulk);
    encode_bulk(4, bulk);
    encode_varint(3, 0);
    encode_varint(2, bulk);
    encode_varint(1, 0);
    encode_inside(2, 0);
    describe(1, &told);
    begin_of(state, RESPONSE_TENSOR);
    if (!data_follows) {
        packets_end();
    }
}
