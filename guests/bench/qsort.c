/* The C library's qsort and bsearch of records: calls through a function pointer. */
#include "bench.h"

enum { N = 2500 };
static struct record {
    uint32_t key, serial;
    char tag[8];
} records[N];

static int by_key(const void *a, const void *b) {
    const struct record *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return x->serial < y->serial ? -1 : x->serial > y->serial;
}

static int by_tag(const void *a, const void *b) {
    const struct record *x = a, *y = b;
    int order = memcmp(x->tag, y->tag, sizeof x->tag);
    return order ? order : by_key(a, b);
}

int main(int argc, char **argv) {
    uint32_t rounds = rounds_of(argc, argv, 160), digest = 0, state = 1;
    for (uint32_t round = 0; round < rounds; round++) {
        for (uint32_t i = 0; i < N; i++) {
            uint32_t r = next_random(&state);
            records[i].key = r & 0xffff;
            records[i].serial = i;
            for (int k = 0; k < 8; k++) records[i].tag[k] = (char)('a' + (r >> (3 * k) & 3));
        }
        qsort(records, N, sizeof records[0], by_key);
        for (uint32_t i = 0; i < N; i += 7) {
            struct record *found = bsearch(&records[i], records, N, sizeof records[0], by_key);
            digest = mix(digest, found ? (uint32_t)(found - records) : 0xffffffff);
        }
        qsort(records, N, sizeof records[0], by_tag);
        for (uint32_t i = 0; i < N; i++) digest = mix(digest, records[i].serial);
    }
    return report("qsort", rounds, digest);
}
