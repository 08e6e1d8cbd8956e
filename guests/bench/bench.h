/* What the benchmark programs share. Each does `rounds` rounds of one kind of integer
 * work, all of it the same on every machine, and prints a digest of the results. */
#ifndef BENCH_H
#define BENCH_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The number of rounds: the first argument, or `usual`. */
static inline uint32_t rounds_of(int argc, char **argv, uint32_t usual) {
    return argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : usual;
}

/* A generator that is the same everywhere (Numerical Recipes' LCG). */
static inline uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8 ^ *state << 11;
}

static inline uint32_t mix(uint32_t digest, uint32_t value) {
    return ((digest ^ value) << 5 | (digest ^ value) >> 27) + 0x9e3779b9u;
}

static inline int report(const char *name, uint32_t rounds, uint32_t digest) {
    printf("%s %lu %08lx\n", name, (unsigned long)rounds, (unsigned long)digest);
    return 0;
}

#endif
