/* A QEMU TCG plugin that counts executed instructions (qemu-user 7.2, plugin API 1).
 *
 * Arguments, each NAME=VALUE:
 *   out=FILE         write there, not to stderr
 *   range=START-END  also count what is executed in [START, END) (hex; up to 16 of them)
 *   maps=on          also a line for each file, or anonymous memory, that code ran from
 *   buckets=on       also a line for each MiB that code ran from
 *   blocks=on        also a line for each translation block: its address, its
 *                    instructions, how often it ran; a block may have several lines
 *
 * Counters are added to inline at the start of each translation block, so the figures
 * repeat exactly; a block left half-way by a signal counts whole. Additions are not
 * atomic: with several threads running at once, figures may be slightly low.
 * `maps` looks addresses up in QEMU's own /proc/self/maps, and so holds for 64-bit
 * guests on 64-bit hosts, which are not displaced; code whose memory is gone by the
 * time the program ends counts as anonymous. A program killed by a signal leaves no
 * figures: QEMU 7.2 does not call plugins then. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is used of qemu-plugin.h, which is not packaged. */
typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info;
enum { INLINE_ADD_U64 = 0 };
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id,
                                           void (*callback)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *block, int operation,
                                              void *counter, uint64_t added);
void qemu_plugin_register_atexit_cb(plugin_id id, void (*callback)(plugin_id, void *), void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);

#define EXPORT __attribute__((visibility("default")))
EXPORT int qemu_plugin_version = 1;

static uint64_t total;
static const char *out_file;
static int want_maps, want_buckets, want_blocks;

enum { MAX_RANGES = 16 };
static struct range {
    uint64_t start, end, count;
} ranges[MAX_RANGES];
static int range_count;

/* Counts by page of 4 KiB: open addressing; QEMU translates one block at a time. */
enum { PAGE_BITS = 12, SLOT_BITS = 18, SLOTS = 1 << SLOT_BITS };
static struct slot {
    uint64_t page_plus_1, count;
} slots[SLOTS];
static uint64_t elsewhere; /* when all slots are taken */

static uint64_t *page_counter(uint64_t address) {
    uint64_t key = (address >> PAGE_BITS) + 1;
    uint64_t at = key * UINT64_C(0x9e3779b97f4a7c15) >> (64 - SLOT_BITS);
    for (int probe = 0; probe < 64; probe++) {
        struct slot *slot = &slots[(at + (uint64_t)probe) % SLOTS];
        if (slot->page_plus_1 == 0) slot->page_plus_1 = key;
        if (slot->page_plus_1 == key) return &slot->count;
    }
    return &elsewhere;
}

static struct block {
    uint64_t start, insns, runs;
    struct block *next;
} *blocks;

static void count_block(struct qemu_plugin_tb *tb, size_t n) {
    struct block *block = calloc(1, sizeof *block);
    if (!block || n == 0) return;
    block->start = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, 0));
    block->insns = n;
    block->next = blocks;
    blocks = block;
    qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD_U64, &block->runs, 1);
}

static void on_block(plugin_id id, struct qemu_plugin_tb *block) {
    size_t n = qemu_plugin_tb_n_insns(block);
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_inline(block, INLINE_ADD_U64, &total, n);
    for (int r = 0; r < range_count; r++) {
        uint64_t inside = 0;
        for (size_t i = 0; i < n; i++) {
            uint64_t at = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(block, i));
            inside += at >= ranges[r].start && at < ranges[r].end;
        }
        if (inside)
            qemu_plugin_register_vcpu_tb_exec_inline(block, INLINE_ADD_U64, &ranges[r].count,
                                                     inside);
    }
    if (want_blocks) count_block(block, n);
    if (!want_maps && !want_buckets) return;
    for (size_t i = 0; i < n;) {
        uint64_t at = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(block, i)), here = 0;
        uint64_t page = at >> PAGE_BITS;
        while (i < n &&
               qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(block, i)) >> PAGE_BITS == page)
            here++, i++;
        qemu_plugin_register_vcpu_tb_exec_inline(block, INLINE_ADD_U64, page_counter(at), here);
    }
}

static int by_page(const void *a, const void *b) {
    uint64_t x = ((const struct slot *)a)->page_plus_1, y = ((const struct slot *)b)->page_plus_1;
    return x < y ? -1 : x > y;
}

static void print_buckets(FILE *out) {
    const int shift = 20 - PAGE_BITS;
    for (size_t i = 0; i < SLOTS;) {
        uint64_t sum = 0, bucket;
        if (slots[i].page_plus_1 == 0) {
            i++;
            continue;
        }
        bucket = (slots[i].page_plus_1 - 1) >> shift;
        for (; i < SLOTS && (slots[i].page_plus_1 - 1) >> shift == bucket; i++)
            sum += slots[i].count;
        fprintf(out, "bucket 0x%" PRIx64 " %" PRIu64 "\n", bucket << 20, sum);
    }
}

/* One line a file, in the order of addresses; memory without a file is [anonymous]. */
static void print_maps(FILE *out) {
    static struct name {
        char text[512];
        uint64_t count;
    } names[256];
    size_t known = 1, at = 0;
    char line[1024];
    FILE *maps = fopen("/proc/self/maps", "r");
    strcpy(names[0].text, "[anonymous]");
    while (at < SLOTS && slots[at].page_plus_1 == 0) at++;
    while (maps && fgets(line, sizeof line, maps)) {
        uint64_t start, end;
        int path = 0;
        size_t which = 0;
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %*s %*s %*s %n", &start, &end, &path) < 2)
            continue;
        line[strcspn(line, "\n")] = 0;
        if (path && line[path]) {
            for (which = 1; which < known; which++)
                if (strcmp(names[which].text, line + path) == 0) break;
            if (which == known) {
                if (known == sizeof names / sizeof names[0]) continue;
                snprintf(names[known++].text, sizeof names[0].text, "%s", line + path);
            }
        }
        for (; at < SLOTS && (slots[at].page_plus_1 - 1) << PAGE_BITS < end; at++) {
            int inside = (slots[at].page_plus_1 - 1) << PAGE_BITS >= start;
            names[inside ? which : 0].count += slots[at].count;
        }
    }
    for (; at < SLOTS; at++) names[0].count += slots[at].count;
    if (maps) fclose(maps);
    for (size_t i = 0; i < known; i++)
        if (names[i].count)
            fprintf(out, "map %s %" PRIu64 "\n", names[i].text, names[i].count);
}

static void on_exit_of_program(plugin_id id, void *data) {
    FILE *out = out_file ? fopen(out_file, "w") : stderr;
    (void)id;
    (void)data;
    if (!out) {
        perror(out_file);
        return;
    }
    fprintf(out, "total %" PRIu64 "\n", total);
    for (int r = 0; r < range_count; r++)
        fprintf(out, "range 0x%" PRIx64 "-0x%" PRIx64 " %" PRIu64 "\n", ranges[r].start,
                ranges[r].end, ranges[r].count);
    if (want_maps || want_buckets) qsort(slots, SLOTS, sizeof slots[0], by_page);
    if (want_maps) print_maps(out);
    if (want_buckets) print_buckets(out);
    for (struct block *block = blocks; block; block = block->next)
        if (block->runs)
            fprintf(out, "block 0x%" PRIx64 " %" PRIu64 " %" PRIu64 "\n", block->start,
                    block->insns, block->runs);
    if (elsewhere) fprintf(out, "unplaced %" PRIu64 "\n", elsewhere);
    if (out != stderr) fclose(out);
}

EXPORT int qemu_plugin_install(plugin_id id, const struct qemu_info *info, int argc, char **argv) {
    (void)info;
    for (int i = 0; i < argc; i++) {
        struct range *range = &ranges[range_count];
        if (strncmp(argv[i], "out=", 4) == 0) {
            out_file = strdup(argv[i] + 4);
        } else if (strcmp(argv[i], "maps=on") == 0) {
            want_maps = 1;
        } else if (strcmp(argv[i], "buckets=on") == 0) {
            want_buckets = 1;
        } else if (strcmp(argv[i], "blocks=on") == 0) {
            want_blocks = 1;
        } else if (range_count < MAX_RANGES && sscanf(argv[i], "range=%" SCNx64 "-%" SCNx64,
                                                      &range->start, &range->end) == 2) {
            range_count++;
        } else {
            fprintf(stderr, "insn-count: what is `%s`?\n", argv[i]);
            return -1;
        }
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_block);
    qemu_plugin_register_atexit_cb(id, on_exit_of_program, NULL);
    return 0;
}
