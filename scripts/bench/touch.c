/* Writes to so many pages of memory as the argument says, twice, and exits. Runs on the
 * guest and on this machine. The memory is not .bss, which newlib's start-up clears. */
#include <stdint.h>
#include <stdlib.h>

enum { PAGE = 4096, MOST = 48 << 20 };

int main(int argc, char **argv) {
    uint32_t pages = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 0;
    volatile uint8_t *memory = malloc(MOST);
    if (!memory) return 1;
    for (int round = 0; round < 2; round++)
        for (uint32_t page = 0; page < pages && page < MOST / PAGE; page++)
            memory[page * PAGE] += 1;
    return 0;
}
