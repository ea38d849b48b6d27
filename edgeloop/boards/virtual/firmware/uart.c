/* Serial ports of the parts: registers of ST's older and newer USARTs (RM0090, RM0399) and of Arm's CMSDK UART. */
#include "uart.h"

#include "cycles.h"
#include "part.h"

#define REGISTER(offset) (*(volatile uint32_t *)(uintptr_t)(PART_UART_BASE + (offset)))

#if PART_UART == PART_UART_STM32H7
#define CONTROL REGISTER(0x00)
#define BAUD_RATE REGISTER(0x0c)
#define STATUS REGISTER(0x1c)
#define RECEIVED REGISTER(0x24)
#define TO_SEND REGISTER(0x28)
#define CAN_TAKE (STATUS & (1u << 5))
#define CAN_SEND (STATUS & (1u << 7))
#define ENABLE ((1u << 0) | (1u << 2) | (1u << 3))
#elif PART_UART == PART_UART_STM32F4
#define CONTROL REGISTER(0x0c)
#define BAUD_RATE REGISTER(0x08)
#define STATUS REGISTER(0x00)
#define RECEIVED REGISTER(0x04)
#define TO_SEND REGISTER(0x04)
#define CAN_TAKE (STATUS & (1u << 5))
#define CAN_SEND (STATUS & (1u << 7))
#define ENABLE ((1u << 13) | (1u << 2) | (1u << 3))
#elif PART_UART == PART_UART_CMSDK
#define CONTROL REGISTER(0x08)
#define BAUD_RATE REGISTER(0x10)
#define STATUS REGISTER(0x04)
#define RECEIVED REGISTER(0x00)
#define TO_SEND REGISTER(0x00)
#define CAN_TAKE (STATUS & (1u << 1))
#define CAN_SEND (!(STATUS & (1u << 0)))
#define ENABLE ((1u << 0) | (1u << 1))
#else
#error "PART_UART names no serial port that is known here"
#endif

void uart_start(void)
{
    BAUD_RATE = PART_BUS_HZ / 115200u;
    CONTROL = ENABLE;
}

void uart_send(uint8_t byte)
{
    while (!CAN_SEND) {
    }
    TO_SEND = byte;
}

bool uart_wait(uint32_t milliseconds)
{
    if (CAN_TAKE) {
        return true;
    }
    uint64_t waited = 0;
    uint32_t last = cycles_now();
    bool is_there;
    do {
        is_there = CAN_TAKE;
        uint32_t now = cycles_now();
        waited += cycles_between(last, now);
        last = now;
    } while (!is_there && (milliseconds == 0 || waited <= (uint64_t)milliseconds * CYCLES_PER_MILLISECOND));
    return is_there && (milliseconds == 0 || waited <= (uint64_t)milliseconds * CYCLES_PER_MILLISECOND);
}

uint8_t uart_take(void)
{
    return (uint8_t)RECEIVED;
}
