/* A network small enough to be read, with the interface of generated code: 16x16x3 uint8 pixels, a pointwise convolution
 * to 4 channels, and a dense layer to 5 scores. Its weights follow a rule that the tests know too. */
#ifndef NETWORK_H
#define NETWORK_H

#include <stdint.h>

#ifndef NETWORK_SIGNATURE
#define NETWORK_SIGNATURE "0x00112233445566ff"
#endif
#define NETWORK_INPUT_HEIGHT 16u
#define NETWORK_INPUT_WIDTH 16u
#define NETWORK_INPUT_CHANNELS 3u
#define NETWORK_INPUT_BYTES 768u
#define NETWORK_INPUT_SCALE 0.0078125f
#define NETWORK_INPUT_ZERO_POINT 128
#define NETWORK_INPUT_FORMAT 0x00040440u
#define NETWORK_OUTPUT_SIZE 5u
#define NETWORK_OUTPUT_BYTES 20u
#define NETWORK_OUTPUT_SCALE 0.0f
#define NETWORK_OUTPUT_ZERO_POINT 0
#define NETWORK_OUTPUT_FORMAT 0x00821040u
#define NETWORK_ACTIVATION_BYTES 1824u
#define NETWORK_WEIGHT_BYTES 5132u
#define NETWORK_MACS 8192u
#define NETWORK_LAYERS 2u

void network_init(void);
#ifdef TINY_STREAMS
#define NETWORK_STREAM_INPUT 1
typedef void (*network_row_reader)(void *context, uint32_t row, void *pixels);
void network_run(network_row_reader read, void *context);
#else
void *network_input(void);
void network_run(void);
#endif
const float *network_output(void);

#ifdef NETWORK_OBSERVE
void network_on_begin(uint32_t layer);
void network_on_end(uint32_t layer);
void network_on_rows(uint32_t layer, uint32_t first_row, uint32_t rows, const void *data);

typedef struct {
    const char *name;
    uint32_t type;
    uint32_t position;
    uint32_t height;
    uint32_t width;
    uint32_t channels;
    uint32_t format;
    float scale;
    int32_t zero_point;
    uint32_t macs;
} network_layer_info;

extern const network_layer_info network_layer_table[NETWORK_LAYERS];
#endif

#endif
