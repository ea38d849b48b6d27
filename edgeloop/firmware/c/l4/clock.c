/* Clocks of the STM32L4: RM0351, chapters PWR, RCC and FLASH. It starts at the MSI, 4 MHz, with no wait states, in voltage
 * range 1. */
#include "clock.h"

#include "clock_start.h"
#include "dividers.h"
#include "part.h"
#include "registers.h"

enum { HSI_HZ = 16000000, SELECT_HSI = 1, SELECT_PLL = 3, SOURCE_HSI = 2 };

/* The data must not promise another source than the code takes. */
typedef char source_is_the_internal_oscillator[PART_SOURCE_HZ == HSI_HZ ? 1 : -1];

static bool set_voltage(void)
{
    FIELD_SET(RCC_APB1ENR1, PWREN, 1);
    (void)RCC_APB1ENR1;
    FIELD_SET(PWR_CR1, VOS, PART_SCALE);
    return FIELD_BECOMES(PWR_SR2, VOSF, 0, READS) || clock_fails("the voltage does not become ready");
}

static bool start_oscillator(void)
{
    FIELD_SET(RCC_CR, HSION, 1);
    return FIELD_BECOMES(RCC_CR, HSIRDY, 1, READS) || clock_fails("the internal oscillator does not start");
}

static bool start_pll(void)
{
    FIELD_SET(RCC_PLLCFGR, PLLSRC, SOURCE_HSI);
    FIELD_SET(RCC_PLLCFGR, PLLM, PART_PLL_M - 1u);
    FIELD_SET(RCC_PLLCFGR, PLLN, PART_PLL_N);
    FIELD_SET(RCC_PLLCFGR, PLLR, PART_PLL_P / 2u - 1u);
    FIELD_SET(RCC_CR, PLLON, 1);
    if (!FIELD_BECOMES(RCC_CR, PLLRDY, 1, READS)) {
        return clock_fails("the PLL does not lock");
    }
    FIELD_SET(RCC_PLLCFGR, PLLREN, 1);
    return true;
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
    (void)(set_voltage() && start_oscillator() && start_pll() && slow_down_flash() && switch_to_pll());
}

/* MSIRANGE 0 to 11 (chapter RCC, RCC_CR). */
static uint32_t msi_hz(void)
{
    static const uint32_t ranges[] = {100000,  200000,  400000,  800000,   1000000,  2000000,
                                      4000000, 8000000, 16000000, 24000000, 32000000, 48000000};
    return ranges[FIELD_GET(RCC_CR, MSIRANGE) % 12u];
}

static uint32_t system_hz(void)
{
    if (FIELD_GET(RCC_CFGR, SWS) != SELECT_PLL) {
        return FIELD_GET(RCC_CFGR, SWS) == SELECT_HSI ? HSI_HZ : msi_hz();
    }
    uint32_t source = FIELD_GET(RCC_PLLCFGR, PLLSRC) == SOURCE_HSI ? HSI_HZ : msi_hz();
    uint32_t vco = (uint32_t)((uint64_t)source * FIELD_GET(RCC_PLLCFGR, PLLN) / (FIELD_GET(RCC_PLLCFGR, PLLM) + 1u));
    return vco / (2u * (FIELD_GET(RCC_PLLCFGR, PLLR) + 1u));
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
    return "the internal oscillator";
}
