/* Layer after layer of one inference, to the host: cycles of each, and what it has computed where that is asked for. */
#ifndef LAYERS_H
#define LAYERS_H

#include <stdbool.h>
#include <stdint.h>

/* Nothing of what the layers compute will be asked for. */
void layers_forget(void);

/* Whether one run can keep what all layers compute. */
bool layers_fit_one_run(void);

/* The next run keeps what the first layers compute, as many as the store has room for behind `taken` bytes. */
void layers_keep(uint32_t taken);

/* Sends every layer after a run: the nodes alone, or with their tensors, for which the network is run again as often as
 * needed. False: a layer has not computed all of its rows; nothing of it was sent, if it could be known before. */
bool layers_send(bool with_data);

#endif
