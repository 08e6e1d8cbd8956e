/* Small functions on structures, in Dhrystone's manner: copies of records, strings
 * compared, enumerations, pointers to pointers, globals. */
#include "bench.h"

#define NOINLINE __attribute__((noinline, noclone))
enum colour { RED, GREEN, BLUE, WHITE };
struct item {
    struct item *next;
    enum colour colour;
    int32_t number;
    char name[31];
};

static struct item first, second, *head = &first;
static int32_t counts[4], grid[16][16];
static char shown[31];

static NOINLINE enum colour turn(enum colour c) {
    switch (c) {
    case RED: return WHITE;
    case GREEN: return RED;
    case BLUE: return GREEN;
    default: return BLUE;
    }
}

static NOINLINE int is_later(const char *a, const char *b) {
    int at = 2;
    while (at < 20 && a[at] == b[at + 1]) at++;
    if (a[at] >= 'X' && a[at] < 'Z') return 0;
    return strcmp(a, b) > 0;
}

static NOINLINE void update(struct item *item, int32_t by) {
    struct item *next = item->next;
    *next = *item;
    item->number = by;
    next->number = item->number + 3;
    next->next = item->next == &second ? item : &second;
    next->colour = turn(item->colour);
    counts[next->colour]++;
}

static NOINLINE void fill(int32_t rows[16][16], int32_t at, int32_t value) {
    int32_t row = (at + 5) & 15;
    for (int32_t i = row; i <= row + 1; i++) rows[row][i & 15] = value;
    rows[(row + 7) & 15][row] = rows[row][row] + 1;
}

int main(int argc, char **argv) {
    uint32_t rounds = rounds_of(argc, argv, 3000000), digest = 0;
    char mine[31] = "A PROGRAM OF STRUCTS, 1ST LINE";
    first.next = &second;
    second.next = &first;
    strcpy(first.name, "A PROGRAM OF STRUCTS, SOME DAY");
    for (uint32_t round = 0; round < rounds; round++) {
        int32_t x = (int32_t)(round & 255), y = x * 3 + 7;
        strcpy(shown, "A PROGRAM OF STRUCTS, 2ND LINE");
        if (is_later(shown, mine)) y = 7 * (y - x) / ((x & 3) + 1);
        mine[22] = (char)('0' + (y & 7));
        update(head, y);
        head = head->next;
        head->next = head == &first ? &second : &first;
        fill(grid, x, y);
        digest = mix(digest, (uint32_t)(head->number ^ counts[head->colour]));
    }
    for (int i = 0; i < 16; i++) digest = mix(digest, (uint32_t)grid[i][i]);
    return report("structs", rounds, digest);
}
