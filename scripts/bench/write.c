/* Writes so many single bytes to stdout, one call each. Runs on the guest and on this machine. */
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv) {
    long count = argc > 1 ? atol(argv[1]) : 0;
    char byte = '.';
    while (count-- > 0)
        if (write(1, &byte, 1) != 1) return 1;
    return 0;
}
