/* Memory that is shared and writable: anonymous, a file's through two maps at once, maps made and ended meanwhile. */
#include "common.h"

#define SIZE (256 * KB)

static void *map_shared(int fd, size_t size, off_t offset)
{
    int flags = fd < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, offset);
    check(memory != MAP_FAILED, "mmap of shared memory");
    return memory;
}

/* What was written through a map is what read(2) finds, at once. */
static void read_check(int fd, const void *memory, size_t size, const char *what)
{
    static char copy[SIZE];
    check(pread(fd, copy, size, 0) == (ssize_t)size, "pread of %s", what);
    check(memcmp(copy, memory, size) == 0, "%s: the file is not what its map shows", what);
}

static int new_file(const char *name, size_t size)
{
    int fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    check(fd >= 0 && ftruncate(fd, (off_t)size) == 0, "make %s", name);
    return fd;
}

/* A file that is mapped for a while. */
static void passing_map(unsigned round)
{
    char name[40];
    snprintf(name, sizeof name, "passing-%u", round);
    int fd = new_file(name, 3 * PAGE + 100);
    char *memory = map_shared(fd, 4 * PAGE, 0);
    zero_check(memory, 4 * PAGE, "a new file's map");
    pattern_fill(memory, 3 * PAGE + 100, round);
    check(munmap(memory, 4 * PAGE) == 0, "munmap");
    memory = map_shared(fd, 4 * PAGE, 0);
    pattern_check(memory, 3 * PAGE + 100, round, "mapped again");
    read_check(fd, memory, 3 * PAGE + 100, "passing file");
    check(msync(memory, 4 * PAGE, MS_SYNC) == 0, "msync");
    check(munmap(memory, 4 * PAGE) == 0 && close(fd) == 0 && unlink(name) == 0, "end of the map");
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    int fd = new_file("shared", SIZE);
    char *file = map_shared(fd, SIZE, 0);
    char *part = map_shared(fd, 4 * PAGE, 2 * PAGE);
    char *anonymous = map_shared(-1, SIZE, 0);
    char *guarded = map_shared(-1, 4 * PAGE, 0);
    pattern_fill(guarded, 4 * PAGE, 99);
    check(mprotect(guarded, PAGE, PROT_NONE) == 0 && mprotect(guarded + PAGE, PAGE, PROT_READ) == 0, "mprotect");
    ready();
    unsigned round = 0;
    char *kept = NULL;
    for (; working(); round++) {
        pattern_fill(file, SIZE, round);
        check(memcmp(part, file + 2 * PAGE, 4 * PAGE) == 0, "two maps of one file differ");
        memset(part, (int)round, PAGE);
        check(file[2 * PAGE] == (char)round, "two maps of one file differ");
        read_check(fd, file, SIZE, "shared file");
        pattern_fill(anonymous, SIZE, round + 1);
        burn();
        pattern_check(anonymous, SIZE, round + 1, "anonymous");
        if (round % 20 == 0) passing_map(round);
        if (round == 3) pattern_fill(kept = map_shared(-1, SIZE, 0), SIZE, 3);
    }
    pattern_check(kept, SIZE, 3, "made meanwhile");
    check(mprotect(guarded, 4 * PAGE, PROT_READ) == 0, "mprotect");
    pattern_check(guarded, 4 * PAGE, 99, "behind protection");
    pid_t child = fork(); /* both really share it */
    check(child >= 0, "fork");
    if (child == 0) {
        memset(kept, 17, SIZE);
        memset(anonymous, 18, SIZE);
        memset(file, 19, SIZE);
        _exit(0);
    }
    int status;
    check(waitpid(child, &status, 0) == child && status == 0, "wait");
    check(kept[5] == 17 && anonymous[SIZE - 1] == 18 && part[7] == 19, "the child wrote to memory of its own");
    unlink("shared");
    return finish("shared memory intact");
}
