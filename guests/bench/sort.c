/* Heap sort and merge sort of words, inlined: compares, moves, unpredictable branches. */
#include "bench.h"

enum { N = 20000 };
static uint32_t values[N], other[N];

static void sift(uint32_t *v, uint32_t at, uint32_t n) {
    uint32_t moved = v[at], child;
    while ((child = 2 * at + 1) < n) {
        if (child + 1 < n && v[child + 1] > v[child]) child++;
        if (v[child] <= moved) break;
        v[at] = v[child];
        at = child;
    }
    v[at] = moved;
}

static void heap_sort(uint32_t *v, uint32_t n) {
    for (uint32_t i = n / 2; i-- > 0;) sift(v, i, n);
    for (uint32_t i = n; i-- > 1;) {
        uint32_t t = v[0];
        v[0] = v[i];
        v[i] = t;
        sift(v, 0, i);
    }
}

static void merge_sort(uint32_t *v, uint32_t *spare, uint32_t n) {
    uint32_t half = n / 2, i = 0, j = half, k = 0;
    if (n < 8) {
        for (uint32_t p = 1; p < n; p++) {
            uint32_t x = v[p], q = p;
            for (; q > 0 && v[q - 1] > x; q--) v[q] = v[q - 1];
            v[q] = x;
        }
        return;
    }
    merge_sort(v, spare, half);
    merge_sort(v + half, spare, n - half);
    while (i < half && j < n) spare[k++] = v[i] <= v[j] ? v[i++] : v[j++];
    while (i < half) spare[k++] = v[i++];
    for (i = 0; i < k; i++) v[i] = spare[i];
}

int main(int argc, char **argv) {
    uint32_t rounds = rounds_of(argc, argv, 120), digest = 0, state = 1;
    for (uint32_t round = 0; round < rounds; round++) {
        for (int i = 0; i < N; i++) values[i] = next_random(&state);
        if (round & 1)
            heap_sort(values, N);
        else
            merge_sort(values, other, N);
        for (int i = 0; i < N; i++) digest = mix(digest, values[i]);
    }
    return report("sort", rounds, digest);
}
