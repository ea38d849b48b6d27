/* The transaction NETWORK_RUN. */
#ifndef RUN_H
#define RUN_H

#include <stdbool.h>

#include "receive.h"

/* Runs the network once as the request says. False: the host has begun a new request instead, which `request` now holds. */
bool run_network(message *request);

#endif
