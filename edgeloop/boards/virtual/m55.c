/* What a program needs on QEMU's mps3-an547: vectors, the reset, files of the host (semihosting), and a clock.
 * The program gives `uint32_t start(void)`; what that returns is QEMU's exit status. */
#include <stdint.h>

uint32_t start(void);
int32_t host_open(const char *name, uint32_t to_write);
void host_read(int32_t file, void *to, uint32_t bytes);
void host_write(int32_t file, const void *from, uint32_t bytes);
void host_exit(uint32_t status);
uint32_t ticks_since(uint32_t before);
void reset(void);
void fault(void);
void told_fault(const uint32_t *stacked);

/* "Semihosting for AArch32 and AArch64", Arm: operations, and the files' modes "rb" and "wb". */
enum { OPEN = 0x01, WRITE = 0x05, READ = 0x06, EXIT_EXTENDED = 0x20, READ_BINARY = 1, WRITE_BINARY = 5, APPLICATION_EXIT = 0x20026 };
enum { FAULT_STATUS = 254, HOST_STATUS = 255 };

/* Armv8-M Architecture Reference Manual, D1.2: addresses of the System Control Space. */
#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))
#define SYST_CSR REGISTER(0xe000e010u)
#define SYST_RVR REGISTER(0xe000e014u)
#define SYST_CVR REGISTER(0xe000e018u)
#define CPACR REGISTER(0xe000ed88u)
#define CFSR REGISTER(0xe000ed28u)
#define MMFAR REGISTER(0xe000ed34u)
#define BFAR REGISTER(0xe000ed38u)

static int32_t ask(uint32_t operation, const void *block)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = block;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return (int32_t)r0;
}

void host_exit(uint32_t status)
{
    const uint32_t block[2] = {APPLICATION_EXIT, status};
    for (;;) (void)ask(EXIT_EXTENDED, block);
}

int32_t host_open(const char *name, uint32_t to_write)
{
    uint32_t length = 0;
    while (name[length]) length++;
    const uint32_t block[3] = {(uint32_t)(uintptr_t)name, to_write ? WRITE_BINARY : READ_BINARY, length};
    const int32_t file = ask(OPEN, block);
    if (file < 0) host_exit(HOST_STATUS);
    return file;
}

/* Both answer with the number of bytes that are left. */
void host_read(int32_t file, void *to, uint32_t bytes)
{
    const uint32_t block[3] = {(uint32_t)file, (uint32_t)(uintptr_t)to, bytes};
    if (ask(READ, block) != 0) host_exit(HOST_STATUS);
}

void host_write(int32_t file, const void *from, uint32_t bytes)
{
    const uint32_t block[3] = {(uint32_t)file, (uint32_t)(uintptr_t)from, bytes};
    if (ask(WRITE, block) != 0) host_exit(HOST_STATUS);
}

/* Of SysTick, which counts down from 2^24 - 1 and begins anew: ticks_since(0) says when it is. */
uint32_t ticks_since(uint32_t before)
{
    return (0u - SYST_CVR - before) & 0xffffffu;
}

void told_fault(const uint32_t *stacked)
{
    const uint32_t words[4] = {stacked[6], CFSR, MMFAR, BFAR};
    host_write(host_open("fault", 1), words, sizeof words);
    host_exit(FAULT_STATUS);
}

__attribute__((naked)) void fault(void)
{
    __asm__ volatile("mrs r0, msp\n\tb told_fault");
}

void reset(void)
{
    /* The units of floats and vectors: full access to coprocessors 10 and 11, before any instruction of theirs. */
    CPACR |= 0xfu << 20;
    __asm__ volatile("dsb\n\tisb" ::: "memory");
    SYST_RVR = 0xffffffu;
    SYST_CVR = 0;
    SYST_CSR = 5;
    host_exit(start());
}
