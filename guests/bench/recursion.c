/* Recursive functions: Fibonacci, Takeuchi, Ackermann; calls and returns. */
#include "bench.h"

#define NOINLINE __attribute__((noinline, noclone))

static NOINLINE uint32_t fib(uint32_t n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

static NOINLINE int32_t tak(int32_t x, int32_t y, int32_t z) {
    return y < x ? tak(tak(x - 1, y, z), tak(y - 1, z, x), tak(z - 1, x, y)) : z;
}

static NOINLINE uint32_t ackermann(uint32_t m, uint32_t n) {
    if (m == 0) return n + 1;
    if (n == 0) return ackermann(m - 1, 1);
    return ackermann(m - 1, ackermann(m, n - 1));
}

int main(int argc, char **argv) {
    uint32_t rounds = rounds_of(argc, argv, 1500), digest = 0;
    for (uint32_t round = 0; round < rounds; round++) {
        digest = mix(digest, fib(19 + round % 3));
        digest = mix(digest, (uint32_t)tak(10, 5, (int32_t)(round % 4)));
        digest = mix(digest, ackermann(2, 60 + round % 7));
    }
    return report("recursion", rounds, digest);
}
