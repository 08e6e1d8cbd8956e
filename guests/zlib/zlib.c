/* Compresses generated data and restores it, at levels 1 and 6, and prints sizes and
 * checksums. The first argument is the size in KiB. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zlib.h"

static void generate(unsigned char *to, size_t size) {
    static const char *words[] = {"the ", "guest ", "host ", "page ", "of ", "region ",
                                  "branch ", "and ", "a ", "register ", "to ", "load ",
                                  "store ", "\n", "link ", "trap "};
    unsigned x = 1;
    size_t at = 0;
    while (at < size) {
        x = x * 1664525u + 1013904223u;
        const char *word = words[x >> 28];
        if ((x >> 20 & 31) == 0) {
            to[at++] = (unsigned char)(x >> 12);
            continue;
        }
        for (; *word && at < size; word++) to[at++] = (unsigned char)*word;
    }
}

static int fail(const char *what) {
    printf("failed: %s\n", what);
    return 1;
}

int main(int argc, char **argv) {
    size_t size = (argc > 1 ? strtoul(argv[1], NULL, 10) : 10240) * 1024;
    size_t room = size / 2 + 4096;
    unsigned char *data = malloc(size), *packed = malloc(room), *restored = malloc(size);
    if (!data || !packed || !restored) return fail("malloc");
    generate(data, size);
    printf("data %lu crc32 %08lx adler32 %08lx\n", (unsigned long)size,
           crc32(0, data, (uInt)size), adler32(1, data, (uInt)size));
    for (int level = 1; level <= 6; level += 5) {
        z_stream z = {.next_in = data, .avail_in = (uInt)size, .next_out = packed,
                      .avail_out = (uInt)room};
        if (deflateInit(&z, level) != Z_OK) return fail("deflateInit");
        if (deflate(&z, Z_FINISH) != Z_STREAM_END) return fail("deflate");
        unsigned long length = z.total_out;
        deflateEnd(&z);
        printf("level %d length %lu crc32 %08lx\n", level, length,
               crc32(0, packed, (uInt)length));
        memset(restored, 0, size);
        z = (z_stream){.next_in = packed, .avail_in = (uInt)length, .next_out = restored,
                       .avail_out = (uInt)size};
        if (inflateInit(&z) != Z_OK) return fail("inflateInit");
        if (inflate(&z, Z_FINISH) != Z_STREAM_END) return fail("inflate");
        inflateEnd(&z);
        if (memcmp(data, restored, size)) return fail("the data is not what it was");
    }
    puts("restored");
    return 0;
}
