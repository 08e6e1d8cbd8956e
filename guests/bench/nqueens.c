/* Queens on a board, by bit sets and by an array: recursion with little state. */
#include "bench.h"

static uint32_t by_bits(uint32_t all, uint32_t columns, uint32_t left, uint32_t right) {
    uint32_t count = 0, free = all & ~(columns | left | right);
    if (columns == all) return 1;
    while (free) {
        uint32_t bit = free & -free;
        free ^= bit;
        count += by_bits(all, columns | bit, (left | bit) << 1, (right | bit) >> 1);
    }
    return count;
}

static int32_t place[16];

static uint32_t by_array(int32_t row, int32_t n) {
    uint32_t count = 0;
    if (row == n) return 1;
    for (int32_t column = 0; column < n; column++) {
        int32_t r = 0;
        while (r < row && place[r] != column && abs(place[r] - column) != row - r) r++;
        if (r < row) continue;
        place[row] = column;
        count += by_array(row + 1, n);
    }
    return count;
}

int main(int argc, char **argv) {
    uint32_t rounds = rounds_of(argc, argv, 150), digest = 0;
    for (uint32_t round = 0; round < rounds; round++) {
        digest = mix(digest, by_bits((1u << (8 + round % 4)) - 1, 0, 0, 0));
        digest = mix(digest, by_array(0, 7 + (int32_t)(round % 3)));
    }
    return report("nqueens", rounds, digest);
}
