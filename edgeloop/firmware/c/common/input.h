/* The input of one inference, and runs of the network on it. The network overwrites its input: only one that is constant, or
 * that a copy is kept of, can be run on again. */
#ifndef INPUT_H
#define INPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "answers.h"
#include "receive.h"

typedef struct {
    bool is_observed; /* the network with its layers observed is run */
    bool is_constant; /* one element comes, and the input is filled with it */
    bool is_kept;     /* a copy lies at the beginning of the store */
} input_use;

/* The next input is a new one. */
void input_begin(input_use use);

/* Takes the input's bytes out of the message that is open: into the copy, into the network's buffer, or row by row as it
 * runs; those of an input of another size are thrown away. False: the message was cut. */
bool input_take(uint32_t bytes);

/* Takes an input that came where names do, since it is so short. */
void input_take_short(const message *data);

/* Whether all of an input of the right size has come. */
bool input_is_whole(void);

/* Runs the network on the input, unless it has run while the input came. Gives what it has taken. */
run_cost input_run(void);

/* Runs it once more. */
void input_run_again(void);

#endif
