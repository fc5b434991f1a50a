/* A blocking read from a pipe under a rain of signals: with SA_RESTART it never says EINTR, without it does and a
 * handler has run; no data is lost or doubled either way. poll says EINTR in both cases. */
#include "common.h"
#include <poll.h>

static int data[2];
static volatile int handled;

static void on_signal(int n, siginfo_t *info, void *context) { (void)n, (void)info, (void)context; handled++; }

static void rain(void)
{
    for (;;) {
        usleep(7000);
        kill(getppid(), SIGUSR1);
    }
}

static void feed(void)
{
    for (uint32_t n = 0;; n++) {
        usleep(40000);
        write_all(data[1], &n, sizeof n, "the pipe");
    }
}

static void next_number(uint32_t expected, bool restart)
{
    uint32_t n;
    for (;;) {
        int before = handled;
        ssize_t got = read(data[0], &n, sizeof n);
        if (got == sizeof n) break;
        check(got == -1 && errno == EINTR, "read returned %zd", got);
        check(!restart, "read said EINTR in spite of SA_RESTART");
        check(handled > before, "read said EINTR and no handler ran");
    }
    check(n == expected, "got number %u instead of %u", n, expected);
}

static void poll_interrupted(void)
{
    int before = handled;
    int none = poll(NULL, 0, 5000);
    check(none == -1 && errno == EINTR, "poll returned %d", none);
    check(handled > before, "poll said EINTR and no handler ran");
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    check(pipe(data) == 0, "pipe");
    handle(SIGUSR1, on_signal, SA_RESTART);
    helper(rain);
    helper(feed);
    ready();
    for (uint32_t n = 0; working(); n++) {
        handle(SIGUSR1, on_signal, n % 2 ? 0 : SA_RESTART);
        next_number(n, n % 2 == 0);
        poll_interrupted();
        for (int i = 0; i < 3; i++) burn();
    }
    return finish("interrupted reads are right");
}
