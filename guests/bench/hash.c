/* A hash table with chains: hashing of short keys, pointers, allocation from a pool. */
#include "bench.h"

enum { BUCKETS = 4096, N = 16384, KEY = 12 };
struct entry {
    struct entry *next;
    uint32_t value;
    char key[KEY];
};
static struct entry *buckets[BUCKETS], pool[N];
static uint32_t used;

static uint32_t hash_of(const char *key) {
    uint32_t h = 2166136261u;
    for (; *key; key++) h = (h ^ (uint8_t)*key) * 16777619u;
    return h ^ h >> 15;
}

static struct entry *find(const char *key, int add) {
    struct entry **at = &buckets[hash_of(key) % BUCKETS];
    for (struct entry *e = *at; e; e = e->next) {
        const char *p = e->key, *q = key;
        while (*p && *p == *q) p++, q++;
        if (*p == *q) return e;
    }
    if (!add || used == N) return NULL;
    struct entry *e = &pool[used++];
    e->next = *at;
    e->value = 0;
    for (int i = 0; i < KEY; i++) {
        e->key[i] = key[i];
        if (!key[i]) break;
    }
    return *at = e;
}

static void key_of(char *key, uint32_t n) {
    int at = 0;
    do key[at++] = (char)('a' + (n & 15));
    while ((n >>= 4) && at < KEY - 1);
    key[at] = 0;
}

int main(int argc, char **argv) {
    uint32_t rounds = rounds_of(argc, argv, 150), digest = 0, state = 1;
    char key[KEY];
    for (uint32_t round = 0; round < rounds; round++) {
        memset(buckets, 0, sizeof buckets);
        used = 0;
        for (int i = 0; i < N; i++) {
            key_of(key, next_random(&state) & 0x3fff);
            find(key, 1)->value++;
        }
        for (uint32_t i = 0; i < N; i++) {
            key_of(key, i);
            struct entry *e = find(key, 0);
            if (e) digest = mix(digest, e->value);
        }
        digest = mix(digest, used);
    }
    return report("hash", rounds, digest);
}
