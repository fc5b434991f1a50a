/* Three processes in a row, joined by pipes, as a shell makes them: one writes a pattern, one changes every byte, one
 * sums up; the last reader sees the end of the file, and a writer without a reader dies of SIGPIPE. */
#include "common.h"

#define BLOCK (24 * KB)
#define BLOCKS 12

static uint8_t block[BLOCK];

static void producer(int out)
{
    for (unsigned i = 0; i < BLOCKS; i++) {
        pattern_fill(block, BLOCK, i);
        for (int part = 0; part < BLOCK; part += 4096) write_all(out, block + part, 4096, "the first pipe");
        burn();
    }
    _exit(0);
}

static void filter(int in, int out)
{
    for (;;) {
        /* Not more than PIPE_BUF: a longer write that a move interrupts may be a short one. */
        ssize_t n = read(in, block, 4000);
        check(n >= 0, "read from the first pipe");
        if (n == 0) _exit(0);
        for (ssize_t i = 0; i < n; i++) block[i] ^= 0x5a;
        write_all(out, block, n, "the second pipe");
    }
}

static void consumer(int in)
{
    for (unsigned i = 0; i < BLOCKS; i++) {
        read_all(in, block, BLOCK, "the second pipe");
        for (size_t k = 0; k < BLOCK; k++)
            check((block[k] ^ 0x5a) == pattern_byte(k, i), "block %u, byte %zu", i, k);
        burn();
    }
    check(read(in, block, 1) == 0, "the pipe did not end");
    _exit(7);
}

static pid_t started(void)
{
    pid_t pid = fork();
    check(pid >= 0, "fork");
    return pid;
}

static int ended(pid_t pid)
{
    int status;
    check(waitpid(pid, &status, 0) == pid, "waitpid");
    return status;
}

static void row(void)
{
    int first[2], second[2];
    check(pipe(first) == 0, "pipe");
    pid_t a = started();
    if (a == 0) { close(first[0]); producer(first[1]); }
    close(first[1]);
    check(pipe(second) == 0, "pipe");
    pid_t b = started();
    if (b == 0) { close(second[0]); filter(first[0], second[1]); }
    close(first[0]);
    close(second[1]);
    pid_t c = started();
    if (c == 0) consumer(second[0]);
    close(second[0]);
    check(ended(a) == 0, "the producer failed");
    check(ended(b) == 0, "the filter failed");
    check(ended(c) == 7 << 8, "the consumer failed");
}

static void broken(void)
{
    int ends[2];
    check(pipe(ends) == 0, "pipe");
    pid_t pid = started();
    if (pid == 0) {
        close(ends[0]);
        for (;;) write_all(ends[1], block, 4096, "a pipe that nobody reads");
    }
    close(ends[1]);
    read_all(ends[0], block, 100, "the pipe");
    close(ends[0]);
    int status = ended(pid);
    check(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE, "the writer ended with status %#x", status);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    ready();
    while (working()) {
        row();
        broken();
    }
    return finish("all passed on");
}
