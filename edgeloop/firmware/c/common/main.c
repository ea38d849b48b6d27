/* Boot: everything is started, the banner is printed, and requests are served. */
#include <stddef.h>

#include "board.h"
#include "build.h"
#include "clock.h"
#include "cycles.h"
#include "device.h"
#include "network.h"
#include "part.h"
#include "store.h"
#include "uart.h"

int main(void);

static void print(const char *text)
{
    while (*text != 0) {
        uart_send((uint8_t)*text++);
    }
}

int main(void)
{
    clock_start();
    board_core_start();
    cycles_start();
    board_pins_start();
    store_start();
    uart_start();
    network_init();
    print("\r\nedgeloop validation firmware, " BUILD_BANNER "\r\n");
    print("Model: network, signature " NETWORK_SIGNATURE "\r\n");
    print("READY to receive a CMD from the HOST...\r\nProtocol version = 3.1\r\n");
    if (clock_trouble() != NULL) {
        print("TROUBLE: ");
        print(clock_trouble());
        print("\r\n");
    }
    board_led(clock_trouble() == NULL);
    device_serve();
    return 0;
}
