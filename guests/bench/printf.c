/* Formatting and parsing of integers and strings by the C library. */
#include "bench.h"

int main(int argc, char **argv) {
    uint32_t rounds = rounds_of(argc, argv, 150000), digest = 0, state = 1;
    char line[160];
    for (uint32_t round = 0; round < rounds; round++) {
        uint32_t a = next_random(&state), b = next_random(&state);
        int n = snprintf(line, sizeof line, "%08lx|%10ld|%-12lu|%s|%c|%5.3s|%+ld|%#lo", (long)a,
                         (long)(int32_t)b, (unsigned long)(a % 1000), "text", 'a' + (int)(b % 26),
                         "precision", (long)(int32_t)(a ^ b) / 3, (unsigned long)(b & 0xfff));
        for (int i = 0; i < n; i++) digest = digest * 31 + (uint8_t)line[i];
        char *end;
        digest = mix(digest, (uint32_t)strtoul(line, &end, 16));
        digest = mix(digest, (uint32_t)strtol(end + 1, NULL, 10));
        if (round % 20000 == 0) printf("%s\n", line);
    }
    return report("printf", rounds, digest);
}
