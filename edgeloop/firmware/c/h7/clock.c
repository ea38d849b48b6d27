/* Clocks of the STM32H7: RM0433, RM0399 and RM0468, chapters PWR, RCC and FLASH. It starts at the HSI, 64 MHz, in voltage
 * scale 3. */
#include "clock.h"

#include "clock_start.h"
#include "dividers.h"
#include "external_oscillator.h"
#include "part.h"
#include "registers.h"

enum { HSI_HZ = 64000000, SOURCE_HSE = 2, SELECT_PLL = 3, MHZ = 1000000 };

/* The PLL's input: it wants to know how fast that is, and has a second oscillator for inputs below 2 MHz (RCC_PLLCFGR). */
enum {
    REFERENCE = PART_SOURCE_HZ / PART_PLL_M,
    RANGE = REFERENCE < 2 * MHZ ? 0 : REFERENCE < 4 * MHZ ? 1 : REFERENCE < 8 * MHZ ? 2 : 3,
    MEDIUM_OSCILLATOR = REFERENCE < 2 * MHZ
};

/* How the core is supplied (chapter PWR, "system supply startup"). The register takes one write after power-on, and keeps it
 * until the power goes; a supply that the board has no parts for locks the part. So it is written only while it holds what a
 * part has after power-on, and what something else has chosen since is left alone. */
static bool choose_supply(void)
{
    const uint32_t all = PWR_CR3_BYPASS_MASK | PWR_CR3_LDOEN_MASK | PWR_CR3_SDEN_MASK;
    const uint32_t after_power_on = PWR_CR3_LDOEN_MASK | PWR_CR3_SDEN_MASK;
    const uint32_t wanted = PART_SUPPLY_SMPS ? PWR_CR3_SDEN_MASK : PWR_CR3_LDOEN_MASK;
    if ((PWR_CR3 & all) == after_power_on) {
        PWR_CR3 = (PWR_CR3 & ~all) | wanted;
    }
    if ((PWR_CR3 & all) != wanted) {
        return clock_fails("the supply was chosen otherwise before: take the power away once");
    }
    return FIELD_BECOMES(PWR_CSR1, ACTVOSRDY, 1, READS) || clock_fails("the supply does not become ready");
}

static bool set_voltage(void)
{
    FIELD_SET(PWR_D3CR, VOS, PART_SCALE);
    return FIELD_BECOMES(PWR_D3CR, VOSRDY, 1, READS) || clock_fails("the voltage does not become ready");
}

static bool start_pll(void)
{
    FIELD_SET(RCC_PLLCKSELR, PLLSRC, SOURCE_HSE);
    FIELD_SET(RCC_PLLCKSELR, DIVM1, PART_PLL_M);
    FIELD_SET(RCC_PLL1DIVR, DIVN1, PART_PLL_N - 1u);
    FIELD_SET(RCC_PLL1DIVR, DIVP1, PART_PLL_P - 1u);
    FIELD_SET(RCC_PLLCFGR, PLL1FRACEN, 0);
    FIELD_SET(RCC_PLLCFGR, PLL1VCOSEL, MEDIUM_OSCILLATOR);
    FIELD_SET(RCC_PLLCFGR, PLL1RGE, RANGE);
    FIELD_SET(RCC_PLLCFGR, DIVP1EN, 1);
    /* Nothing here uses the other outputs. */
    FIELD_SET(RCC_PLLCFGR, DIVQ1EN, 0);
    FIELD_SET(RCC_PLLCFGR, DIVR1EN, 0);
    FIELD_SET(RCC_CR, PLL1ON, 1);
    return FIELD_BECOMES(RCC_CR, PLL1RDY, 1, READS) || clock_fails("the PLL does not lock");
}

/* The flash memory is slowed down before the clock is raised. */
static bool slow_down_flash(void)
{
    FIELD_SET(FLASH_ACR, WRHIGHFREQ, PART_PROGRAMMING_DELAY);
    FIELD_SET(FLASH_ACR, LATENCY, PART_WAIT_STATES);
    return FIELD_BECOMES(FLASH_ACR, LATENCY, PART_WAIT_STATES, READS) || clock_fails("the flash memory does not take its wait states");
}

static bool switch_to_pll(void)
{
    FIELD_SET(RCC_D1CFGR, D1PPRE, PART_APB3);
    FIELD_SET(RCC_D2CFGR, D2PPRE1, PART_APB1);
    FIELD_SET(RCC_D2CFGR, D2PPRE2, PART_APB2);
    FIELD_SET(RCC_D3CFGR, D3PPRE, PART_APB4);
    FIELD_SET(RCC_D1CFGR, HPRE, PART_AHB);
    FIELD_SET(RCC_CFGR, SW, SELECT_PLL);
    return FIELD_BECOMES(RCC_CFGR, SWS, SELECT_PLL, READS) || clock_fails("the system clock does not switch to the PLL");
}

void clock_start(void)
{
    (void)(choose_supply() && set_voltage() && start_external_oscillator() && start_pll() && slow_down_flash() && switch_to_pll());
}

/* The start-up above takes the core from the HSI to a PLL that runs from the HSE, or leaves it there. */
static uint32_t system_hz(void)
{
    if (FIELD_GET(RCC_CFGR, SWS) != SELECT_PLL) {
        return HSI_HZ;
    }
    uint64_t vco = (uint64_t)PART_SOURCE_HZ * (FIELD_GET(RCC_PLL1DIVR, DIVN1) + 1u) / FIELD_GET(RCC_PLLCKSELR, DIVM1);
    return (uint32_t)(vco / (FIELD_GET(RCC_PLL1DIVR, DIVP1) + 1u));
}

uint32_t clock_cpu_hz(void)
{
    return system_hz() >> ahb_shift(FIELD_GET(RCC_D1CFGR, D1CPRE));
}

uint32_t clock_bus_hz(void)
{
    return clock_cpu_hz() >> ahb_shift(FIELD_GET(RCC_D1CFGR, HPRE));
}

uint32_t clock_apb_hz(uint32_t bus)
{
    switch (bus) {
    case 1:
        return clock_bus_hz() >> apb_shift(FIELD_GET(RCC_D2CFGR, D2PPRE1));
    case 2:
        return clock_bus_hz() >> apb_shift(FIELD_GET(RCC_D2CFGR, D2PPRE2));
    case 3:
        return clock_bus_hz() >> apb_shift(FIELD_GET(RCC_D1CFGR, D1PPRE));
    case 4:
        return clock_bus_hz() >> apb_shift(FIELD_GET(RCC_D3CFGR, D3PPRE));
    default:
        return 0;
    }
}

const char *clock_source(void)
{
    if (FIELD_GET(RCC_CFGR, SWS) != SELECT_PLL) {
        return "the internal oscillator";
    }
    return external_oscillator_kind();
}
