/* Pins, clocks of memories, and identity: alike in all families of STM32 here (registers.h has what differs). */
#include "board.h"

#include "part.h"
#include "registers.h"

enum { MODE_OUTPUT = 1, MODE_ALTERNATE = 2, SPEED_HIGH = 2, PULL_UP = 1, NO_PIN = 16 };

/* The two bits of one pin, in MODER, OSPEEDR and PUPDR. */
static void set_two(volatile uint32_t *address, uint32_t pin, uint32_t value)
{
    *address = (*address & ~(3u << (2u * pin))) | value << (2u * pin);
}

static void connect_to_uart(uint32_t port, uint32_t pin)
{
    volatile uint32_t *alternate = pin < 8u ? &GPIO_AFRL(port) : &GPIO_AFRH(port);
    uint32_t at = 4u * (pin % 8u);
    *alternate = (*alternate & ~(15u << at)) | (uint32_t)PART_ALTERNATE << at;
    set_two(&GPIO_OSPEEDR(port), pin, SPEED_HIGH);
    /* A receiver without a host must see a quiet line. */
    set_two(&GPIO_PUPDR(port), pin, PULL_UP);
    /* Last: the pin does nothing before it is known for what. */
    set_two(&GPIO_MODER(port), pin, MODE_ALTERNATE);
}

/* A clock is there some cycles after it was switched on: reading the register back takes as long (chapter RCC, peripheral
 * clock enable registers). */
#define SWITCH_ON(REGISTER, MASK) \
    REGISTER |= (MASK);           \
    (void)REGISTER;

void board_pins_start(void)
{
    PART_ENABLES(SWITCH_ON)
    connect_to_uart(PART_TX_PORT, PART_TX_PIN);
    connect_to_uart(PART_RX_PORT, PART_RX_PIN);
    board_led(false);
    if (PART_LED_PIN < NO_PIN) {
        set_two(&GPIO_MODER(PART_LED_PORT), PART_LED_PIN, MODE_OUTPUT);
    }
    PART_UART_SELECT;
}

void board_led(bool on)
{
    if (PART_LED_PIN < NO_PIN) {
        /* The upper half of the register clears pins. */
        GPIO_BSRR(PART_LED_PORT) = 1u << PART_LED_PIN % NO_PIN << (on == PART_LED_ON_HIGH ? 0 : 16);
    }
}

uint32_t board_device_id(void)
{
    return FIELD_GET(DBGMCU_IDCODE, DEV_ID);
}
