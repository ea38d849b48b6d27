/* Boot: everything is started, the banner is printed, and requests are served. */
#include "build.h"
#include "cycles.h"
#include "device.h"
#include "network.h"
#include "part.h"
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
    cycles_start();
    uart_start();
    network_init();
    print("\r\nedgeloop validation firmware, " BUILD_BANNER "\r\n");
    print("Model: network, signature " NETWORK_SIGNATURE "\r\n");
    print("READY to receive a CMD from the HOST...\r\nProtocol version = 3.1\r\n");
    device_serve();
    return 0;
}
