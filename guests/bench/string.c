/* Text: building, searching, splitting and comparing with the C library's functions
 * and by hand. */
#include "bench.h"

static char text[65536], copy[65536];

static uint32_t edit_distance(const char *a, const char *b) {
    uint32_t row[32], n = (uint32_t)strlen(b);
    for (uint32_t j = 0; j <= n; j++) row[j] = j;
    for (uint32_t i = 1; a[i - 1]; i++) {
        uint32_t diagonal = row[0];
        row[0] = i;
        for (uint32_t j = 1; j <= n; j++) {
            uint32_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[n];
}

int main(int argc, char **argv) {
    uint32_t rounds = rounds_of(argc, argv, 120), digest = 0, state = 1;
    for (uint32_t round = 0; round < rounds; round++) {
        size_t length = 0, start = 0, words = 0;
        char previous[24] = "";
        while (length < sizeof text - 32) {
            uint32_t letters = 2 + next_random(&state) % 9;
            while (letters--) text[length++] = (char)('a' + next_random(&state) % 26);
            text[length++] = ' ';
        }
        text[length] = 0;
        strcpy(copy, text);
        for (char *p = copy; (p = strchr(p, 'q')); p++) {
            *p = 'Q';
            start++;
        }
        digest = mix(digest, (uint32_t)start);
        for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
            if (++words % 4 == 0) digest = mix(digest, edit_distance(word, previous));
            digest = mix(digest, (uint32_t)(strcmp(word, previous) < 0));
            strncpy(previous, word, sizeof previous - 1);
        }
        for (char *p = text; (p = strstr(p, "ab")); p++) digest = mix(digest, (uint32_t)(p - text));
        memmove(text + 3, text, length - 3);
        digest = mix(digest, (uint32_t)memcmp(text, copy, 100) >> 31);
    }
    return report("string", rounds, digest);
}
