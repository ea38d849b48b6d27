/* Clocks of the STM32F4 and F7: RM0090, RM0390 and RM0410, chapters PWR, RCC and FLASH. They start at the HSI, 16 MHz, with
 * no wait states; the order below is the one of "entering over-drive mode" and "increasing the CPU frequency". */
#include "clock.h"

#include "clock_start.h"
#include "dividers.h"
#include "external_oscillator.h"
#include "part.h"
#include "registers.h"

enum { HSI_HZ = 16000000, SOURCE_HSE = 1, SELECT_PLL = 2 };

static void set_voltage(void)
{
    FIELD_SET(RCC_APB1ENR, PWREN, 1);
    (void)RCC_APB1ENR;
#if PART_SCALE
    /* Takes effect when the PLL starts. */
    FIELD_SET(PWR_CR1, VOS, PART_SCALE);
#endif
}

static bool enter_over_drive(void)
{
#if PART_OVERDRIVE
    FIELD_SET(PWR_CR1, ODEN, 1);
    if (!FIELD_BECOMES(PWR_CSR1, ODRDY, 1, READS)) {
        return clock_fails("over-drive does not become ready");
    }
    FIELD_SET(PWR_CR1, ODSWEN, 1);
    if (!FIELD_BECOMES(PWR_CSR1, ODSWRDY, 1, READS)) {
        return clock_fails("over-drive does not switch");
    }
#endif
    return true;
}

static bool start_pll(void)
{
    FIELD_SET(RCC_PLLCFGR, PLLM, PART_PLL_M);
    FIELD_SET(RCC_PLLCFGR, PLLN, PART_PLL_N);
    FIELD_SET(RCC_PLLCFGR, PLLP, PART_PLL_P / 2u - 1u);
    FIELD_SET(RCC_PLLCFGR, PLLQ, PART_PLL_Q);
    FIELD_SET(RCC_PLLCFGR, PLLSRC, SOURCE_HSE);
    FIELD_SET(RCC_CR, PLLON, 1);
    return enter_over_drive() && (FIELD_BECOMES(RCC_CR, PLLRDY, 1, READS) || clock_fails("the PLL does not lock"));
}

/* The flash memory is slowed down before the clock is raised. */
static bool slow_down_flash(void)
{
    FIELD_SET(FLASH_ACR, LATENCY, PART_WAIT_STATES);
    FLASH_ACR |= PART_ACCELERATOR;
    return FIELD_BECOMES(FLASH_ACR, LATENCY, PART_WAIT_STATES, READS) || clock_fails("the flash memory does not take its wait states");
}

static bool switch_to_pll(void)
{
    FIELD_SET(RCC_CFGR, PPRE1, PART_APB1);
    FIELD_SET(RCC_CFGR, PPRE2, PART_APB2);
    FIELD_SET(RCC_CFGR, HPRE, PART_AHB);
    FIELD_SET(RCC_CFGR, SW, SELECT_PLL);
    return FIELD_BECOMES(RCC_CFGR, SWS, SELECT_PLL, READS) || clock_fails("the system clock does not switch to the PLL");
}

void clock_start(void)
{
    set_voltage();
    (void)(start_external_oscillator() && start_pll() && slow_down_flash() && switch_to_pll());
}

/* The start-up above takes the core from the HSI to a PLL that runs from the HSE, or leaves it there. */
static uint32_t system_hz(void)
{
    if (FIELD_GET(RCC_CFGR, SWS) != SELECT_PLL) {
        return HSI_HZ;
    }
    uint32_t vco = (uint32_t)((uint64_t)PART_SOURCE_HZ * FIELD_GET(RCC_PLLCFGR, PLLN) / FIELD_GET(RCC_PLLCFGR, PLLM));
    return vco / (2u * (FIELD_GET(RCC_PLLCFGR, PLLP) + 1u));
}

uint32_t clock_cpu_hz(void)
{
    return clock_bus_hz();
}

uint32_t clock_bus_hz(void)
{
    return system_hz() >> ahb_shift(FIELD_GET(RCC_CFGR, HPRE));
}

uint32_t clock_apb_hz(uint32_t bus)
{
    return bus > 2u ? 0u : clock_bus_hz() >> apb_shift(bus == 1u ? FIELD_GET(RCC_CFGR, PPRE1) : FIELD_GET(RCC_CFGR, PPRE2));
}

const char *clock_source(void)
{
    if (FIELD_GET(RCC_CFGR, SWS) != SELECT_PLL) {
        return "the internal oscillator";
    }
    return external_oscillator_kind();
}
