/* The network as it is: nothing of the firmware's runs within the time that is taken. */
#include "inference.h"

#include <stddef.h>

#include "cycles.h"

void *plain_input(void)
{
#ifdef NETWORK_STREAM_INPUT
    return NULL;
#else
    return network_input();
#endif
}

uint32_t plain_run(row_source read)
{
    uint32_t begin = cycles_now();
#ifdef NETWORK_STREAM_INPUT
    network_run(read, NULL);
#else
    (void)read;
    network_run();
#endif
    return cycles_between(begin, cycles_now());
}

const void *plain_output(void)
{
    return network_output();
}
