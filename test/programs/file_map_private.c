/* A private file map: part of it read, part written, the tail of the last page zero, SIGBUS beyond the end.
 * The file itself never changes. */
#include "common.h"
#include <setjmp.h>

#define SIZE (300 * KB + 123)
#define MAPPED (320 * KB)

static sigjmp_buf back;
static siginfo_t seen;

static void on_fault(int n, siginfo_t *info, void *context)
{
    (void)n, (void)context;
    seen = *info;
    siglongjmp(back, 1);
}

static void must_fault(char *address)
{
    if (sigsetjmp(back, 1) == 0) {
        (void)*(volatile char *)address;
        check(false, "memory beyond the end of the file could be read");
    }
    check(seen.si_signo == SIGBUS && seen.si_addr == (void *)address && seen.si_code == BUS_ADRERR,
          "signal %d, code %d", seen.si_signo, seen.si_code);
}

static char *map(int fd)
{
    char *memory = mmap(NULL, MAPPED, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    check(memory != MAP_FAILED, "mmap of the file");
    return memory;
}

/* Pages 10–19 carry what was written; all else is the file's. */
static void verify(char *memory, unsigned seed, const char *what)
{
    for (long i = 0; i < SIZE; i++) {
        bool written = i >= 10 * PAGE && i < 20 * PAGE;
        uint8_t expected = written ? pattern_byte(i - 10 * PAGE, seed) : pattern_byte(i, 1);
        check((uint8_t)memory[i] == expected, "%s: byte %ld", what, i);
    }
    zero_check(memory + SIZE, PAGE - SIZE % PAGE, what);
    must_fault(memory + (SIZE / PAGE + 1) * PAGE);
    must_fault(memory + MAPPED - 1);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    handle(SIGBUS, on_fault, 0);
    int fd = pattern_file("mapped", SIZE, 1);
    char *old = map(fd), *untouched = map(fd);
    pattern_fill(old + 10 * PAGE, 10 * PAGE, 2);
    ready();
    for (unsigned round = 0; working(); round++) {
        verify(old, 2, "map from before");
        char *fresh = map(fd);
        pattern_fill(fresh + 10 * PAGE, 10 * PAGE, round);
        verify(fresh, round, "new map");
        check(munmap(fresh, MAPPED) == 0, "munmap");
        burn();
    }
    pattern_check(untouched, SIZE, 1, "map first touched at the end");
    must_fault(untouched + MAPPED - PAGE);
    char *content = malloc(SIZE);
    check(pread(fd, content, SIZE, 0) == SIZE, "pread");
    pattern_check(content, SIZE, 1, "the file itself");
    unlink("mapped");
    return finish("private file map intact");
}
