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

static void print_number(uint32_t number)
{
    if (number >= 10u) {
        print_number(number / 10u);
    }
    uart_send((uint8_t)('0' + number % 10u));
}

/* What the registers say, not what was meant. */
static void print_clocks(void)
{
    print("Clocks: core ");
    print_number(clock_cpu_hz() / 1000u);
    print(" kHz, AHB ");
    print_number(clock_bus_hz() / 1000u);
    for (uint32_t bus = 1; clock_apb_hz(bus) > 0; bus++) {
        print(", APB");
        print_number(bus);
        print(" ");
        print_number(clock_apb_hz(bus) / 1000u);
    }
    print(", from ");
    print(clock_source());
    print("\r\n");
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
    if (clock_apb_hz(1) > 0) {
        print_clocks();
    }
    print("Model: network, signature " NETWORK_SIGNATURE "\r\n");
    if (clock_trouble() != NULL) {
        print("TROUBLE: ");
        print(clock_trouble());
        print("\r\n");
    }
    print("READY to receive a CMD from the HOST...\r\nProtocol version = 3.1\r\n");
    board_led(clock_trouble() == NULL);
    device_serve();
    return 0;
}
