/* Writes that block in the middle, to a pipe and to a socket, while the other end reads slowly: each of them writes all of
 * it, in order, wherever the writer is stopped meanwhile. With a handler that interrupts one, it says how much it wrote. */
#include "common.h"
#include <poll.h>
#include <sys/socket.h>

#define SIZE (8 * 64 * KB)

static int ends[2][2]; /* of a pipe and of a socket: to read, to write */
static volatile int interruptions;

static void on_alarm(int n, siginfo_t *info, void *context) { (void)n, (void)info, (void)context, interruptions++; }

/* Reads blocks of the pattern from both, slowly, until both are closed. */
static void other(void)
{
    for (int i = 0; i < 2; i++) close(ends[i][1]);
    uint8_t *data = malloc(SIZE), *expected = malloc(SIZE);
    pattern_fill(expected, SIZE, 7);
    size_t at[2] = { 0, 0 };
    struct pollfd sources[2] = { { .fd = ends[0][0], .events = POLLIN }, { .fd = ends[1][0], .events = POLLIN } };
    while (sources[0].fd >= 0 || sources[1].fd >= 0) {
        check(poll(sources, 2, -1) > 0, "poll");
        for (int i = 0; i < 2; i++) {
            if (sources[i].fd < 0 || sources[i].revents == 0) continue;
            ssize_t n = read(sources[i].fd, data, 32 * KB);
            check(n >= 0, "read");
            if (n == 0) sources[i].fd = -1;
            for (ssize_t done = 0; done < n; done++, at[i]++)
                check(data[done] == expected[at[i] % SIZE], "byte %zu of %s differs", at[i], i ? "the socket" : "the pipe");
        }
        usleep(4000);
    }
    for (int i = 0; i < 2; i++) check(at[i] % SIZE == 0, "%zu bytes came", at[i]);
}

/* What the handler has left of the block. */
static void write_interrupted(int fd, const uint8_t *data)
{
    struct itimerval soon = { .it_value.tv_usec = 30000 };
    for (size_t done = 0; done < SIZE;) {
        int before = interruptions;
        setitimer(ITIMER_REAL, &soon, NULL);
        ssize_t n = write(fd, data + done, SIZE - done);
        check(n > 0 || (n < 0 && errno == EINTR), "write");
        if (n > 0) done += n;
        check(done == SIZE || interruptions > before, "a short count without a signal");
    }
    setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    int pair[2];
    check(pipe(ends[0]) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "pipe");
    ends[1][0] = pair[0], ends[1][1] = pair[1];
    handle(SIGALRM, on_alarm, 0);
    pid_t pid = helper(other);
    for (int i = 0; i < 2; i++) close(ends[i][0]);
    uint8_t *data = malloc(SIZE);
    pattern_fill(data, SIZE, 7);
    ready();
    while (working()) {
        for (int i = 0; i < 2; i++) write_all(ends[i][1], data, SIZE, i ? "the socket" : "the pipe");
        write_interrupted(ends[0][1], data);
    }
    for (int i = 0; i < 2; i++) close(ends[i][1]);
    helper_ends(pid);
    return finish("all was written");
}
