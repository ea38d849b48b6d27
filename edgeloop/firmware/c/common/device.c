/* Requests and what is done about them: one at a time, each to its end unless the host begins a new one. */
#include "device.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agree.h"
#include "answers.h"
#include "build.h"
#include "receive.h"
#include "run.h"

/* Handles one request. False: the host has begun a new one, which `request` now holds. */
static bool handle(message *request)
{
    answer_to(request->value[REQUEST_REQID]);
    switch (request->value[REQUEST_CMD]) {
    case COMMAND_SYNC:
        answer_sync();
        return true;
    case COMMAND_SYS_INFO:
        answer_system();
        return true;
    case COMMAND_NETWORK_INFO:
        if (request->value[REQUEST_PARAM] == 0) {
            answer_model();
        } else {
            answer_refusal();
        }
        return true;
    case COMMAND_NETWORK_RUN:
        return run_network(request);
    case COMMAND_AGREE:
        agree(request);
        return true;
    case COMMAND_TRY:
        return agree_try(request);
    default:
        answer_refusal();
        return true;
    }
}

void device_serve(void)
{
    message request;
    for (;;) {
        receive_message(&request, NULL);
        while (request.kind == MESSAGE_REQUEST && !handle(&request)) {
        }
    }
}
