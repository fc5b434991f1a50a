/* Children that live through the moves of their parent, which forks all the time: each goes on computing with its own
 * memory wherever it is, and says at the end what it should. */
#include "common.h"

#define LONG 3

static void long_child(int number, int out)
{
    size_t size = 3 * MB;
    uint8_t *memory = malloc(size);
    check(memory, "malloc");
    unsigned seed = 100 + number;
    pattern_fill(memory, size, seed);
    do {
        burn();
        pattern_check(memory, size, seed, "a child's memory");
        pattern_fill(memory, size, ++seed);
    } while (nanoseconds_left() > 0);
    pattern_check(memory, size, seed, "a child's memory");
    write_all(out, &number, sizeof number, "the pipe");
    _exit(40 + number);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    int ends[2], status;
    check(pipe(ends) == 0, "pipe");
    ready();
    pid_t children[LONG];
    int made = 0;
    for (int round = 0; working() || made < LONG; round++) {
        /* One before it is moved, one while it is away, one when it is home again. */
        if (made < LONG && milliseconds_left() < run_seconds * 1000 * (1 - 0.4 * made)) {
            children[made] = fork();
            check(children[made] >= 0, "fork");
            if (children[made] == 0) long_child(made, ends[1]);
            made++;
        }
        burn();
        pid_t pid = fork();
        check(pid >= 0, "fork");
        if (pid == 0) {
            check(waitpid(-1, &status, 0) == -1 && errno == ECHILD, "the child has children");
            burn();
            _exit(round & 63);
        }
        check(waitpid(pid, &status, 0) == pid && status == (round & 63) << 8, "wait status %#x", status);
    }
    int seen = 0;
    for (int i = 0; i < LONG; i++) {
        int number;
        read_all(ends[0], &number, sizeof number, "the pipe");
        seen |= 1 << number;
    }
    check(seen == (1 << LONG) - 1, "who reported: %#x", seen);
    for (int i = 0; i < LONG; i++)
        check(waitpid(children[i], &status, 0) == children[i] && status == (40 + i) << 8, "wait status %#x", status);
    return finish("all came to their end");
}
