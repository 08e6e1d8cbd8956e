/* 64-bit arithmetic: products, quotients, carries, rotates, on pairs of registers. */
#include "bench.h"

static uint64_t power(uint64_t base, uint32_t exponent, uint32_t modulus) {
    uint64_t result = 1;
    base %= modulus;
    for (; exponent; exponent >>= 1) {
        if (exponent & 1) result = result * base % modulus;
        base = base * base % modulus;
    }
    return result;
}

static uint64_t xorshift(uint64_t *state) {
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * UINT64_C(2685821657736338717);
}

static uint64_t gcd(uint64_t a, uint64_t b) {
    while (b) {
        uint64_t t = a % b;
        a = b;
        b = t;
    }
    return a;
}

/* a + b in base 2^32, with carries, over 32 digits. */
static void add_long(uint32_t *a, const uint32_t *b) {
    uint64_t carry = 0;
    for (int i = 0; i < 32; i++) {
        carry += (uint64_t)a[i] + b[i];
        a[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

static void multiply_long(uint32_t *a, uint32_t by) {
    uint64_t carry = by;
    for (int i = 0; i < 32; i++) {
        carry += (uint64_t)a[i] * by;
        a[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

int main(int argc, char **argv) {
    uint32_t rounds = rounds_of(argc, argv, 150000), digest = 0, big[32] = {1}, other[32] = {7};
    uint64_t state = 88172645463325252u;
    int64_t sum = 0;
    for (uint32_t round = 0; round < rounds; round++) {
        uint64_t a = xorshift(&state), b = xorshift(&state) >> (a & 31);
        digest = mix(digest, (uint32_t)power(a, (uint32_t)b >> 12 | 1, 1000000007u));
        if (round % 8 == 0) digest = mix(digest, (uint32_t)gcd(a, b));
        sum += (int64_t)a / ((int64_t)(b >> 20) + 3) - (int64_t)(a << 7 | a >> 57);
        multiply_long(big, (uint32_t)a | 1);
        add_long(other, big);
        for (int k = 0; k < 40; k++) sum ^= (int64_t)xorshift(&state) >> (k & 15);
    }
    for (int i = 0; i < 32; i++) digest = mix(digest, other[i]);
    return report("arith64", rounds, mix(digest, (uint32_t)sum ^ (uint32_t)((uint64_t)sum >> 32)));
}
