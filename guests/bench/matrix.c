/* Products of integer matrices: multiply and add, indexed loads. */
#include "bench.h"

enum { N = 96 };
static int32_t a[N][N], b[N][N], c[N][N];

int main(int argc, char **argv) {
    uint32_t rounds = rounds_of(argc, argv, 130), digest = 0, state = 1;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            a[i][j] = (int16_t)next_random(&state);
            b[i][j] = (int16_t)next_random(&state);
        }
    for (uint32_t round = 0; round < rounds; round++) {
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) {
                uint32_t sum = 0;
                for (int k = 0; k < N; k++) sum += (uint32_t)a[i][k] * (uint32_t)b[k][j];
                c[i][j] = (int32_t)sum;
            }
        for (int i = 0; i < N; i++) {
            digest = mix(digest, (uint32_t)c[i][(i + (int)round) % N]);
            a[i][(i * 7) % N] = (int16_t)c[i][i];
        }
    }
    return report("matrix", rounds, digest);
}
