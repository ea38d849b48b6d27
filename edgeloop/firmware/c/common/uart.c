/* Serial ports of the parts: ST's older and newer USARTs (their chapters in the reference manuals) and Arm's CMSDK UART. */
#include "uart.h"

#include "clock.h"
#include "cycles.h"
#include "part.h"
#include "registers.h"

#if PART_UART == PART_UART_STM32H7
#define CAN_TAKE (USART_ISR(PART_UART_BASE) & USART_ISR_RXNE_MASK)
#define CAN_SEND (USART_ISR(PART_UART_BASE) & USART_ISR_TXE_MASK)
#define RECEIVED USART_RDR(PART_UART_BASE)
#define TO_SEND USART_TDR(PART_UART_BASE)

static void start(uint32_t divider)
{
    USART_BRR(PART_UART_BASE) = divider;
    /* A byte that comes too late to be read is lost, as any damaged one; it must not stop those behind it. */
    USART_CR3(PART_UART_BASE) = USART_CR3_OVRDIS_MASK;
    USART_CR1(PART_UART_BASE) = USART_CR1_UE_MASK | USART_CR1_TE_MASK | USART_CR1_RE_MASK;
}
#elif PART_UART == PART_UART_STM32F4
#define CAN_TAKE (USART_SR(PART_UART_BASE) & USART_SR_RXNE_MASK)
#define CAN_SEND (USART_SR(PART_UART_BASE) & USART_SR_TXE_MASK)
#define RECEIVED USART_DR(PART_UART_BASE)
#define TO_SEND USART_DR(PART_UART_BASE)

/* An overrun is cleared by what is done anyway: the status is read, and then the byte. */
static void start(uint32_t divider)
{
    USART_BRR(PART_UART_BASE) = divider;
    USART_CR1(PART_UART_BASE) = USART_CR1_UE_MASK | USART_CR1_TE_MASK | USART_CR1_RE_MASK;
}
#elif PART_UART == PART_UART_CMSDK
#define CAN_TAKE (USART_STATE(PART_UART_BASE) & USART_STATE_RXFULL_MASK)
#define CAN_SEND (!(USART_STATE(PART_UART_BASE) & USART_STATE_TXFULL_MASK))
#define RECEIVED USART_DATA(PART_UART_BASE)
#define TO_SEND USART_DATA(PART_UART_BASE)

static void start(uint32_t divider)
{
    USART_BAUDDIV(PART_UART_BASE) = divider;
    USART_CTRL(PART_UART_BASE) = USART_CTRL_TXEN_MASK | USART_CTRL_RXEN_MASK;
}
#else
#error "PART_UART names no serial port that is known here"
#endif

void uart_start(void)
{
    /* Every one of these ports samples 16 times a bit, in steps of its clock, and so its divider is clock by rate, rounded. */
    start((clock_uart_hz() + PART_BAUD / 2u) / PART_BAUD);
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
    uint64_t limit = (uint64_t)milliseconds * cycles_per_millisecond();
    uint32_t last = cycles_now();
    bool is_there;
    do {
        is_there = CAN_TAKE;
        uint32_t now = cycles_now();
        waited += cycles_between(last, now);
        last = now;
    } while (!is_there && (milliseconds == 0 || waited <= limit));
    return is_there && (milliseconds == 0 || waited <= limit);
}

uint8_t uart_take(void)
{
    return (uint8_t)RECEIVED;
}
