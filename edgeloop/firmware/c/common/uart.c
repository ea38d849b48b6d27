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
#define IS_SENT (USART_ISR(PART_UART_BASE) & USART_ISR_TC_MASK)

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
#define IS_SENT (USART_SR(PART_UART_BASE) & USART_SR_TC_MASK)

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
#define WITHOUT_SENT_FLAG
#else
#error "PART_UART names no serial port that is known here"
#endif

enum { LEAST_DIVIDER = 16, MOST_DIVIDER = 0xffff, PER_CENT = 100 };

/* Every one of these ports samples 16 times a bit, in steps of its clock, and so its divider is clock by rate, rounded. */
static uint32_t divider_for(uint32_t rate)
{
    return (clock_uart_hz() + rate / 2u) / rate;
}

void uart_start(void)
{
    start(divider_for(PART_BAUD));
}

bool uart_can(uint32_t rate)
{
    uint32_t divider = divider_for(rate), clock = clock_uart_hz(), exact = divider * rate;
    uint32_t off = exact > clock ? exact - clock : clock - exact;
    return divider >= LEAST_DIVIDER && divider <= MOST_DIVIDER && off <= exact / PER_CENT;
}

#ifdef WITHOUT_SENT_FLAG
/* It says when a byte has begun to go out, and not when the last one is: two of them take less than a fifth of a millisecond. */
static void stop(void)
{
    while (!CAN_SEND) {
    }
    uint32_t begin = cycles_now();
    while (cycles_between(begin, cycles_now()) < cycles_per_millisecond() / 5u) {
    }
    USART_CTRL(PART_UART_BASE) = 0;
}
#else
/* The divider may change while the port is off, and that may be once the last bit is out (USART, TC). */
static void stop(void)
{
    while (!IS_SENT) {
    }
    USART_CR1(PART_UART_BASE) = 0;
}
#endif

void uart_change(uint32_t rate)
{
    stop();
    start(divider_for(rate));
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
