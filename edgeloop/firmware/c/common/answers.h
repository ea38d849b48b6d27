/* What the device says: every message of the serial validation protocol 3.1 that goes to the host, and those of our extension. */
#ifndef ANSWERS_H
#define ANSWERS_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol.h"

#define MODEL_NAME "network"

typedef struct {
    const char *name;
    uint32_t height; /* 0: it has no height and width, only channels */
    uint32_t width;
    uint32_t channels;
    uint32_t format;
    float scale;
    int32_t zero_point;
    uint32_t flags;
} tensor_facts;

/* What a layer or a run has taken. */
typedef struct {
    uint32_t cycles;
    int32_t stack_bytes; /* NOT_MEASURED for layers, and where an observer has run in between */
} run_cost;

enum { NOT_MEASURED = -1 };

/* All answers repeat the number of this request. */
void answer_to(uint32_t request);

void answer_sync(void);
void answer_system(void);
void answer_model(void);
void answer_acknowledgement(uint32_t state, uint32_t parameter, uint32_t error);
/* What was asked for does not exist. */
void answer_refusal(void);
/* The extension's answer; then `bytes` must follow with packets_send, and packets_end unless there are none. */
void answer_agreement(uint32_t state, uint32_t rate, uint32_t size, uint32_t bytes);
void answer_log(const char *text);
/* `flags`: OPERATOR_FLAG_...; 0 for the whole model. */
void answer_node(const char *name, uint32_t type, uint32_t flags, uint32_t id, run_cost cost);

/* A tensor without its data, or the beginning of one: then `tensor_bytes` must follow with packets_send, and packets_end. */
void answer_tensor(uint32_t state, const tensor_facts *tensor, bool data_follows);

uint32_t tensor_bytes(const tensor_facts *tensor);

tensor_facts model_input(void);
tensor_facts model_output(void);

#endif
