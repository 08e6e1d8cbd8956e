/* Runs a program some times and writes what each run took: a small process of its own,
 * because the peak memory of a child that was made by a big one counts the big one's.
 * Usage: spawn RUNS FILE PROGRAM [ARG…]
 * Lines of FILE: wall ns, user µs, system µs, peak memory KiB, wait status. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static long micros(struct timeval t) { return t.tv_sec * 1000000L + t.tv_usec; }

int main(int argc, char **argv) {
    if (argc < 4) return 2;
    FILE *out = fopen(argv[2], "we");
    if (!out) {
        perror(argv[2]);
        return 2;
    }
    for (long runs = strtol(argv[1], NULL, 10); runs > 0; runs--) {
        struct rusage used;
        int status;
        int64_t start = now();
        pid_t child = vfork();
        if (child == 0) {
            execvp(argv[3], argv + 3);
            _exit(127);
        }
        if (child < 0 || wait4(child, &status, 0, &used) != child) {
            perror(argv[3]);
            return 2;
        }
        fprintf(out, "%lld %ld %ld %ld %d\n", (long long)(now() - start), micros(used.ru_utime),
                micros(used.ru_stime), used.ru_maxrss, status);
    }
    return fclose(out) != 0;
}
