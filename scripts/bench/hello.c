/* The smallest C program with output. */
#include <stdio.h>

int main(void) {
    puts("hello, world");
    return 0;
}
