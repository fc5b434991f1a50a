/* Another process stops and continues the program while it waits, without any handler: nanosleep and poll go on with the time
 * that is left (the kernel's restart_syscall), a blocked read is repeated, and none says EINTR. */
#include "common.h"
#include <linux/futex.h>
#include <poll.h>

static int data[2];

/* The stops; the writer of the pipe is a process of its own. */
static void stopper(void)
{
    for (;;) {
        usleep(60000);
        kill(getppid(), SIGSTOP);
        usleep(15000);
        kill(getppid(), SIGCONT);
    }
}

static void feeder(void)
{
    for (uint32_t n = 0;; n++) {
        usleep(150000);
        write_all(data[1], &n, sizeof n, "the pipe");
    }
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    int never[2];
    check(pipe(data) == 0 && pipe(never) == 0, "pipe");
    helper(stopper);
    helper(feeder);
    struct timespec t = { .tv_nsec = 300 * MILLISECOND };
    ready();
    for (uint32_t next = 0; working(); next++) {
        uint32_t n;
        int64_t began = now_ns();
        check(nanosleep(&t, NULL) == 0, "nanosleep");
        check_duration(began, 300, "nanosleep");
        began = now_ns();
        check(poll(&(struct pollfd){ .fd = never[0], .events = POLLIN }, 1, 300) == 0, "poll");
        check_duration(began, 300, "poll");
        began = now_ns();
        check(syscall(SYS_futex, &(int){ 0 }, FUTEX_WAIT, 0, &t, NULL, 0) == -1 && errno == ETIMEDOUT, "futex");
        check_duration(began, 300, "futex");
        do { /* what came while the others waited is old; block for the next one at least once */
            check(read(data[0], &n, sizeof n) == sizeof n, "read");
            check(n == next, "number %u instead of %u", n, next);
            next++;
        } while (poll(&(struct pollfd){ .fd = data[0], .events = POLLIN }, 1, 0) == 1);
        check(read(data[0], &n, sizeof n) == sizeof n && n == next, "the blocked read");
        for (int i = 0; i < 5; i++) burn();
    }
    return finish("stopped while waiting");
}
