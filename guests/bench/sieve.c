/* The sieve of Eratosthenes: byte stores with a stride. */
#include "bench.h"

enum { N = 1 << 18 };
static uint8_t composite[N];

int main(int argc, char **argv) {
    uint32_t rounds = rounds_of(argc, argv, 220), digest = 0;
    for (uint32_t round = 0; round < rounds; round++) {
        uint32_t count = 0;
        memset(composite, 0, N);
        for (uint32_t i = 2; i < N - round; i++) {
            if (composite[i]) continue;
            count++;
            for (uint32_t j = i + i; j < N; j += i) composite[j] = 1;
        }
        digest = mix(digest, count);
    }
    return report("sieve", rounds, digest);
}
