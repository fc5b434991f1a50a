/* Two hundred processes at once: a token goes round through all of them, each adds its part, and all end together. */
#include "common.h"

#define PROCESSES 200

static void pass_on(int from, int to, int me)
{
    for (long token; read(from, &token, sizeof token) == sizeof token;) {
        token += me + 1;
        write_all(to, &token, sizeof token, "the next one's pipe");
    }
    _exit(me % 100);
}

/* Whoever is made has the end of the pipe from the one before, and makes none of his own: the next pipe is there before him. */
static void ring(unsigned seed)
{
    pid_t pids[PROCESSES];
    int first[2], from;
    check(pipe(first) == 0, "pipe");
    from = first[0];
    for (int i = 0; i < PROCESSES; i++) {
        int next[2];
        check(pipe(next) == 0, "pipe");
        pids[i] = fork();
        check(pids[i] >= 0, "fork");
        if (pids[i] == 0) {
            close(first[1]);
            close(next[0]);
            pass_on(from, next[1], i);
        }
        close(from);
        close(next[1]);
        from = next[0];
    }
    for (int lap = 0; lap < 3; lap++) {
        long token = seed + (unsigned)lap;
        write_all(first[1], &token, sizeof token, "the first one's pipe");
        burn();
        read_all(from, &token, sizeof token, "the last one's pipe");
        check(token == (long)(seed + (unsigned)lap) + PROCESSES * (PROCESSES + 1) / 2, "the token is %ld in lap %d", token, lap);
    }
    close(first[1]);
    close(from);
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        check(waitpid(pids[i], &status, 0) == pids[i], "waitpid");
        check(WIFEXITED(status) && WEXITSTATUS(status) == i % 100, "process %d ended with status %#x", i, status);
    }
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    ready();
    for (unsigned round = 0; working(); round++) ring(round);
    return finish("the token went through all");
}
