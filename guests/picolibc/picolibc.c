/* A picolibc program that reaches its host by semihosting alone: output, a file
 * written and read back, data copied by crt0 from its load address, the heap. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int initialised[4] = {1, 2, 3, 4};
static int zeroed[100];

int main(void) {
    char text[32] = "";
    int sum = 0;
    for (int i = 0; i < 4; i++) sum += initialised[i];
    for (int i = 0; i < 100; i++) sum += zeroed[i];
    printf("hello from picolibc, data %d\n", sum);

    char *block = malloc(10000);
    if (!block) return 1;
    memset(block, 'x', 10000);
    printf("heap %c\n", block[9999]);
    free(block);

    FILE *file = fopen("picolibc.txt", "w");
    if (!file) {
        puts("fopen failed");
        return 1;
    }
    fprintf(file, "line %d\n", 42);
    fclose(file);
    file = fopen("picolibc.txt", "r");
    if (!file || !fgets(text, sizeof text, file)) {
        puts("reading failed");
        return 1;
    }
    fclose(file);
    printf("read back: %s", text);
    printf("remove %d\n", remove("picolibc.txt"));
    return 5;
}
