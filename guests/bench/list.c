/* Linked lists: insertion, search, reversal and merge sort of nodes spread in memory. */
#include "bench.h"

enum { N = 4000 };
struct node {
    struct node *next;
    int16_t key, extra;
};
static struct node nodes[N];

static struct node *reverse(struct node *list) {
    struct node *done = NULL;
    while (list) {
        struct node *next = list->next;
        list->next = done;
        done = list;
        list = next;
    }
    return done;
}

static struct node *merge_sort(struct node *list) {
    struct node *slow = list, *fast = list, head, *tail = &head;
    if (!list || !list->next) return list;
    while (fast->next && fast->next->next) slow = slow->next, fast = fast->next->next;
    fast = slow->next;
    slow->next = NULL;
    list = merge_sort(list);
    fast = merge_sort(fast);
    while (list && fast) {
        struct node **least = list->key <= fast->key ? &list : &fast;
        tail->next = *least;
        tail = *least;
        *least = (*least)->next;
    }
    tail->next = list ? list : fast;
    return head.next;
}

int main(int argc, char **argv) {
    uint32_t rounds = rounds_of(argc, argv, 400), digest = 0, state = 1;
    for (uint32_t round = 0; round < rounds; round++) {
        struct node *list = NULL;
        for (int i = 0; i < N; i++) {
            struct node *node = &nodes[i * 1777 % N];
            node->key = (int16_t)next_random(&state);
            node->extra = (int16_t)i;
            node->next = list;
            list = node;
        }
        for (int k = 0; k < 20; k++) {
            int16_t want = (int16_t)next_random(&state);
            uint32_t at = 0;
            for (struct node *p = list; p && p->key != want; p = p->next) at++;
            digest = mix(digest, at);
            if (k % 5 == 0) list = reverse(list);
        }
        list = merge_sort(list);
        for (struct node *p = list; p; p = p->next) digest = mix(digest, (uint16_t)p->extra);
    }
    return report("list", rounds, digest);
}
