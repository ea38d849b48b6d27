/* Counts executed instructions inside the emulator: called at the beginning of every block of instructions, which is far too
 * often for Python. Built by block_counter.py for the machine that emulates; its twin in Python is in core.py. */
#include <stdint.h>

enum { ENTRIES = 1 << 16, MOST_USED = 3 << 14, CODE_BYTES = 4096 };

typedef struct {
    uint32_t address;
    uint32_t size; /* in bytes; 0: not used */
    uint32_t instructions;
    uint32_t unused;
    uint64_t executed; /* how often, */
    uint64_t jumps;    /* and how many of those times not from the block before it in memory */
} block;

typedef struct {
    uint64_t instructions;
    uint64_t limit;
    uint32_t has_reached_limit;
    uint32_t last_address; /* of the block that was executed last, */
    uint32_t last_size;    /* 0: there is none */
    uint32_t used;
    uint32_t end; /* of the block before */
    uint32_t unused;
    int (*read_memory)(void *emulator, uint64_t address, void *target, uint64_t bytes);
    int (*stop)(void *emulator);
    block blocks[ENTRIES];
} block_counter;

uint64_t block_counter_bytes(void);
void block_counter_begin(void *emulator, uint64_t address, uint32_t size, void *data);

uint64_t block_counter_bytes(void)
{
    return sizeof(block_counter);
}

/* Thumb instructions have 4 bytes where the first halfword begins with 0b11101, 0b11110 or 0b11111, else 2. */
static uint32_t count_instructions(const block_counter *counter, void *emulator, uint32_t address, uint32_t size)
{
    uint8_t code[CODE_BYTES];
    uint32_t count = 0;
    if (size > CODE_BYTES || counter->read_memory(emulator, address, code, size) != 0) {
        return 0;
    }
    for (uint32_t at = 0; at + 1 < size; count++) {
        at += code[at + 1] >> 3 >= 0x1d ? 4 : 2;
    }
    return count;
}

static block *find(block_counter *counter, void *emulator, uint32_t address, uint32_t size)
{
    uint32_t place = (address >> 1) * 2654435761u >> 16;
    for (;; place = (place + 1) % ENTRIES) {
        block *entry = &counter->blocks[place];
        if (entry->address == address && entry->size == size) {
            return entry;
        }
        if (entry->size == 0) {
            if (counter->used < MOST_USED) {
                counter->used++;
                *entry = (block){address, size, 0, 0, 0, 0};
            }
            /* A full table counts on, without a profile: its last free entry is filled anew each time. */
            entry->instructions = count_instructions(counter, emulator, address, size);
            return entry;
        }
    }
}

void block_counter_begin(void *emulator, uint64_t address, uint32_t size, void *data)
{
    block_counter *counter = data;
    if (counter->instructions >= counter->limit) {
        counter->has_reached_limit = 1;
        counter->last_size = 0;
        (void)counter->stop(emulator);
        return;
    }
    block *entry = find(counter, emulator, (uint32_t)address, size);
    entry->executed++;
    entry->jumps += counter->end != (uint32_t)address;
    counter->end = (uint32_t)address + size;
    counter->instructions += entry->instructions;
    counter->last_address = (uint32_t)address;
    counter->last_size = size;
}
