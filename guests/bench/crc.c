/* CRC-32 by bits, by a table of 256, and by four tables. */
#include "bench.h"

static uint32_t table[4][256];
static uint8_t data[32768];

static uint32_t by_bits(const uint8_t *p, size_t n) {
    uint32_t crc = 0xffffffff;
    while (n--) {
        crc ^= *p++;
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (0xedb88320u & -(crc & 1));
    }
    return ~crc;
}

static uint32_t by_table(const uint8_t *p, size_t n) {
    uint32_t crc = 0xffffffff;
    while (n--) crc = table[0][(crc ^ *p++) & 255] ^ crc >> 8;
    return ~crc;
}

static uint32_t by_four(const uint8_t *p, size_t n) {
    uint32_t crc = 0xffffffff;
    for (; n >= 4; n -= 4, p += 4) {
        crc ^= p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        crc = table[3][crc & 255] ^ table[2][crc >> 8 & 255] ^ table[1][crc >> 16 & 255] ^
              table[0][crc >> 24];
    }
    return ~crc;
}

int main(int argc, char **argv) {
    uint32_t rounds = rounds_of(argc, argv, 400), digest = 0, state = 1;
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 8; bit++) c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
        table[0][i] = c;
    }
    for (int k = 1; k < 4; k++)
        for (int i = 0; i < 256; i++)
            table[k][i] = table[k - 1][i] >> 8 ^ table[0][table[k - 1][i] & 255];
    for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)next_random(&state);
    for (uint32_t round = 0; round < rounds; round++) {
        uint32_t a = by_bits(data, sizeof data), b = by_table(data, sizeof data);
        if (a != b || b != by_four(data, sizeof data)) {
            puts("the three differ");
            return 1;
        }
        digest = mix(digest, a);
        data[round % sizeof data] ^= (uint8_t)(a >> 5);
    }
    return report("crc", rounds, digest);
}
