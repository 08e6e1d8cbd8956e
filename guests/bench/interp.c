/* A register machine interpreted by a switch in a loop, running a sieve of its own. */
#include "bench.h"

enum op { LI, MOV, ADD, ADDI, SUB, MUL, AND, SHR, LOAD, STORE, JUMP, LESS, ZERO, XOR, HALT };
struct instruction {
    uint8_t op, a, b, c;
    int32_t value;
};

/* r1 limit, r2 i, r3 j, r4 count, r5 flag, r6 one, r7 digest */
static const struct instruction program[] = {
    {LI, 6, 0, 0, 1},      {LI, 4, 0, 0, 0},     {LI, 2, 0, 0, 2},  /* 0: set up */
    {LESS, 2, 1, 0, 6},    {XOR, 7, 7, 4, 0},    {HALT, 0, 0, 0, 0}, /* 3: while i < limit */
    {LOAD, 5, 2, 0, 0},    {ZERO, 5, 0, 0, 10},                     /* 6: if a[i] == 0 */
    {ADDI, 2, 2, 0, 1},    {JUMP, 0, 0, 0, 3},                      /* 8: next i */
    {ADDI, 4, 4, 0, 1},    {ADD, 3, 2, 2, 0},    {MUL, 7, 7, 2, 0}, /* 10: count */
    {ADDI, 7, 7, 0, 7},    {SHR, 5, 7, 0, 9},    {XOR, 7, 7, 5, 0},
    {LESS, 3, 1, 0, 18},   {JUMP, 0, 0, 0, 8},                      /* 16: while j < limit */
    {STORE, 6, 3, 0, 0},   {ADD, 3, 3, 2, 0},    {JUMP, 0, 0, 0, 16},
};

static uint32_t memory[4096];

static uint32_t run(uint32_t limit, uint32_t seed) {
    uint32_t r[8] = {0, limit, 0, 0, 0, 0, 0, seed};
    const struct instruction *pc = program;
    for (;;) {
        const struct instruction *i = pc++;
        switch ((enum op)i->op) {
        case LI: r[i->a] = (uint32_t)i->value; break;
        case MOV: r[i->a] = r[i->b]; break;
        case ADD: r[i->a] = r[i->b] + r[i->c]; break;
        case ADDI: r[i->a] = r[i->b] + (uint32_t)i->value; break;
        case SUB: r[i->a] = r[i->b] - r[i->c]; break;
        case MUL: r[i->a] = r[i->b] * r[i->c]; break;
        case AND: r[i->a] = r[i->b] & r[i->c]; break;
        case SHR: r[i->a] = r[i->b] >> (i->value & 31); break;
        case XOR: r[i->a] = r[i->b] ^ r[i->c]; break;
        case LOAD: r[i->a] = memory[r[i->b] & 4095]; break;
        case STORE: memory[r[i->b] & 4095] = r[i->a]; break;
        case JUMP: pc = program + i->value; break;
        case LESS: if (r[i->a] < r[i->b]) pc = program + i->value; break;
        case ZERO: if (r[i->a] == 0) pc = program + i->value; break;
        case HALT: return r[7];
        }
    }
}

int main(int argc, char **argv) {
    uint32_t rounds = rounds_of(argc, argv, 800), digest = 1;
    for (uint32_t round = 0; round < rounds; round++) {
        memset(memory, 0, sizeof memory);
        digest = mix(digest, run(4000 + round % 96, digest));
    }
    return report("interp", rounds, digest);
}
