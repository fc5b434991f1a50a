/* A file that the program maps to read it only, and a child, in a session of its own, writes through its memory: what the
 * child writes is seen at once, wherever the two are. */
#include "common.h"

#define SIZE (64 * KB)

struct record { volatile uint64_t begun, ended; volatile uint64_t words[64]; };

static void write_for_ever(const char *name)
{
    int fd = open(name, O_RDWR | O_CLOEXEC);
    check(fd >= 0, "open for writing");
    struct record *record = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    check(record != MAP_FAILED, "mmap for writing");
    close(fd);
    for (uint64_t round = 1;; round++) {
        record->begun = round;
        for (int i = 0; i < 64; i++) record->words[i] = round * (i + 1);
        record->ended = round;
        usleep(1000);
    }
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    const char *name = "record";
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    check(fd >= 0 && ftruncate(fd, SIZE) == 0 && close(fd) == 0, "make the file");
    fd = open(name, O_RDONLY | O_CLOEXEC);
    check(fd >= 0, "open");
    const struct record *record = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
    check(record != MAP_FAILED, "mmap");
    close(fd);
    pid_t child = fork();
    check(child >= 0, "fork");
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        check(setsid() == getpid(), "setsid");
        write_for_ever(name);
    }
    while (record->ended == 0) usleep(1000);
    ready();
    uint64_t last = record->ended;
    while (working()) {
        int64_t began = now_ns();
        while (record->ended == last) {
            check(now_ns() - began < 20 * SECOND, "nothing new since round %lu", last);
            usleep(500);
        }
        last = record->ended;
        for (int i = 0; i < 64; i++)
            check(record->words[i] >= last * (i + 1), "word %d is older than round %lu", i, last);
        burn();
    }
    check(kill(child, SIGKILL) == 0, "kill");
    int status;
    check(waitpid(child, &status, 0) == child && WIFSIGNALED(status), "waitpid");
    return finish("what the child wrote was seen");
}
