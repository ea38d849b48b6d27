/* Requests and what is done about them: one at a time, each to its end unless the host begins a new one. */
#include "device.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answers.h"
#include "build.h"
#include "receive.h"
#include "run.h"

enum { COMMAND_SYNC = 0, COMMAND_SYSTEM = 1, COMMAND_MODEL = 10, COMMAND_RUN = 11 };

static void refuse(void)
{
    answer_acknowledgement(STATE_ERROR, 4, ERROR_INVALID_PARAM);
}

/* Handles one request. False: the host has begun a new one, which `request` now holds. */
static bool handle(message *request)
{
    answer_to(request->value[1]);
    switch (request->value[2]) {
    case COMMAND_SYNC:
        answer_sync();
        return true;
    case COMMAND_SYSTEM:
        answer_system();
        return true;
    case COMMAND_MODEL:
        if (request->value[3] == 0) {
            answer_model();
        } else {
            refuse();
        }
        return true;
    case COMMAND_RUN:
        return run_network(request);
    default:
        refuse();
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
