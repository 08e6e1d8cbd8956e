/* A state machine of 600 states (fixtures/src/statemachine.awk): much code, each piece
 * of it run seldom, through one jump table. */
#include "bench.h"
#include "statemachine.inc"

int main(int argc, char **argv) {
    uint32_t rounds = rounds_of(argc, argv, 400), digest = 0;
    for (uint32_t round = 0; round < rounds; round++) digest = mix(digest, machine(100000 + round));
    return report("statemachine", rounds, digest);
}
