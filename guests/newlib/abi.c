/* What a newlib program sees of its system, in the folder it is started in: files,
 * errors by name, times, the break. Prints the same on a right system and on Linux
 * itself, so that the native build says what is expected. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#ifdef __riscv
/* libgloss has no function for these. */
static int ecall(long number, long a, long b, long c) {
    register long a0 __asm__("a0") = a;
    register long a1 __asm__("a1") = b;
    register long a2 __asm__("a2") = c;
    register long a7 __asm__("a7") = number;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
    if (a0 >= 0) return (int)a0;
    errno = (int)-a0;
    return -1;
}
static int make_folder(const char *path) { return ecall(34, -100, (long)path, 0755); }
static int remove_folder(const char *path) { return ecall(35, -100, (long)path, 0x200); }
static int can_access(const char *path, int mode) { return ecall(1033, (long)path, mode, 0); }
static int change_folder(const char *path) { return ecall(49, (long)path, 0, 0); }
static int current_folder(char *path, size_t size) { return ecall(17, (long)path, (long)size, 0); }
static int unknown_call(void) { return ecall(4000, 1, 2, 3); }
#else
static int make_folder(const char *path) { return mkdir(path, 0755); }
static int remove_folder(const char *path) { return rmdir(path); }
static int can_access(const char *path, int mode) { return access(path, mode); }
static int change_folder(const char *path) { return chdir(path); }
static int current_folder(char *path, size_t size) { return getcwd(path, size) ? 0 : -1; }
static int unknown_call(void) {
    errno = ENOSYS;
    return -1;
}
#endif

/* EBADF has another text in newlib than in glibc. */
static void result(const char *what, long got) {
    if (got < 0)
        printf("%s: %s\n", what, errno == EBADF ? "not open" : strerror(errno));
    else
        printf("%s: %ld\n", what, got);
}

/* A file's text, newlines as "/". */
static void show(const char *path) {
    FILE *file = fopen(path, "r");
    printf("%s = \"", path);
    if (!file) {
        printf("\" (%s)\n", strerror(errno));
        return;
    }
    for (int c; (c = getc(file)) != EOF;) putchar(c == '\n' ? '/' : c);
    printf("\"\n");
    fclose(file);
}

static void write_text(const char *path, const char *mode, const char *text) {
    FILE *file = fopen(path, mode);
    if (!file) {
        printf("fopen %s %s: %s\n", path, mode, strerror(errno));
        return;
    }
    fputs(text, file);
    result("fclose", fclose(file));
}

static void streams(void) {
    char text[64];
    FILE *file;
    write_text("a.txt", "w", "first\n");
    write_text("a.txt", "a", "second\n");
    write_text("a.txt", "a", "third\n");
    show("a.txt");
    write_text("a.txt", "r+", "FIRST");
    show("a.txt");
    file = fopen("a.txt", "r");
    result("fseek -6 end", fseek(file, -6, SEEK_END));
    if (!fgets(text, sizeof text, file)) strcpy(text, "nothing");
    printf("read \"%.5s\", at %ld\n", text, ftell(file));
    result("fseek 2", fseek(file, 2, SEEK_SET));
    result("fseek +1", fseek(file, 1, SEEK_CUR));
    printf("read '%c'\n", getc(file));
    result("fseek -100", fseek(file, -100, SEEK_SET) ? -1 : 0);
    fclose(file);
    write_text("a.txt", "w", "");
    show("a.txt");
    show("missing.txt");
}

static void descriptors(void) {
    char text[16] = "";
    int fd = open("b.txt", O_RDWR | O_CREAT | O_EXCL, 0644);
    printf("open: %s\n", fd > 2 ? "a new descriptor" : "failed");
    result("write", write(fd, "0123456789", 10));
    result("lseek -1 end", lseek(fd, -1, SEEK_END));
    result("read", read(fd, text, sizeof text));
    printf("text \"%s\"\n", text);
    result("lseek -4 current", lseek(fd, -4, SEEK_CUR));
    result("lseek -1 set", lseek(fd, -1, SEEK_SET));
    result("read at the end", (lseek(fd, 0, SEEK_END), read(fd, text, sizeof text)));
    result("close", close(fd));
    result("close again", close(fd));
    result("read closed", read(fd, text, 1));
    result("open exclusive", open("b.txt", O_RDWR | O_CREAT | O_EXCL, 0644));
    fd = open("b.txt", O_WRONLY | O_APPEND);
    result("append", write(fd, "ab", 2));
    result("read write-only", read(fd, text, 1));
    close(fd);
    show("b.txt");
    fd = open("b.txt", O_WRONLY | O_TRUNC);
    close(fd);
    show("b.txt");
    result("open folder to write", open(".", O_WRONLY));
    result("open below a file", open("b.txt/c", O_RDONLY));
    result("write bad descriptor", write(77, "x", 1));
}

static void states(void) {
    struct stat state;
    time_t now = time(NULL);
    write_text("c.txt", "w", "twelve bytes");
    result("stat", stat("c.txt", &state));
    printf("size %ld, file %d, folder %d, links %d\n", (long)state.st_size,
           S_ISREG(state.st_mode) != 0, S_ISDIR(state.st_mode) != 0, (int)state.st_nlink);
    printf("modified now: %s\n",
           state.st_mtime > now - 60 && state.st_mtime < now + 60 ? "yes" : "no");
    result("stat .", stat(".", &state));
    printf("folder %d\n", S_ISDIR(state.st_mode) != 0);
    result("stat missing", stat("missing.txt", &state));
    result("access", can_access("c.txt", R_OK));
    result("access missing", can_access("missing.txt", F_OK));
    result("rename", rename("c.txt", "d.txt"));
    show("d.txt");
    result("stat the old name", stat("c.txt", &state));
    result("link", link("d.txt", "e.txt"));
    result("stat", stat("e.txt", &state));
    printf("links %d\n", (int)state.st_nlink);
    printf("isatty of a file: %d\n", isatty(open("e.txt", O_RDONLY)));
}

static void folders(void) {
    char path[1024];
    const char *name;
    result("mkdir", make_folder("folder"));
    result("mkdir again", make_folder("folder"));
    write_text("folder/f.txt", "w", "inside\n");
    result("rmdir full", remove_folder("folder"));
    result("unlink folder/f.txt", unlink("folder/f.txt"));
    result("chdir", change_folder("folder"));
    name = current_folder(path, sizeof path) >= 0 ? strrchr(path, '/') : NULL;
    printf("getcwd ends in %s\n", name ? name : "nothing");
    result("chdir ..", change_folder(".."));
    result("rmdir", remove_folder("folder"));
    result("rmdir missing", remove_folder("folder"));
}

static void times(void) {
    struct {
        struct timeval time;
        unsigned char beyond[8];
    } at;
    time_t now, first = time(&now);
    memset(&at, 0xee, sizeof at);
    result("gettimeofday", gettimeofday(&at.time, NULL));
    printf("time is after 2020: %s\n", first > 1577836800 && first < 4102444800 ? "yes" : "no");
    printf("time agrees: %s\n", now == first && at.time.tv_sec - first < 60 &&
                                        at.time.tv_sec >= first ? "yes" : "no");
    printf("microseconds: %s\n",
           at.time.tv_usec >= 0 && at.time.tv_usec < 1000000 ? "in range" : "out of range");
    printf("nothing beyond: %s\n", at.beyond[0] == 0xee && at.beyond[7] == 0xee ? "yes" : "no");
    printf("clock: %s\n", clock() != (clock_t)-1 ? "goes" : "missing");
}

static void memory(void) {
    char *start = sbrk(0), *old = sbrk(12345);
    printf("sbrk gives the old break: %s\n", old == start ? "yes" : "no");
    printf("sbrk is exact: %s\n", (char *)sbrk(0) - start == 12345 ? "yes" : "no");
    memset(old, 1, 12345);
    sbrk(-12345);
    printf("sbrk shrinks: %s\n", sbrk(0) == (void *)start ? "yes" : "no");
    char *much = malloc(3000000);
    printf("malloc: %s\n", much ? "given" : "refused");
    if (much) memset(much, 2, 3000000);
    free(much);
}

int main(void) {
    static const char *const made[] = {"a.txt", "b.txt", "d.txt", "e.txt"};
    streams();
    descriptors();
    states();
    folders();
    times();
    memory();
    result("unknown call", unknown_call());
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) result("unlink", unlink(made[i]));
    result("unlink again", unlink("a.txt"));
    return 7;
}
