/* What every test program shares.
 *
 * A program works in three parts: it sets things up, prints "ready", and then keeps using its feature for
 * `seconds` (argument 1, default 2.5): it re-checks what it made before and makes everything anew, so that the
 * feature is used before a move, while away, and after coming home, whenever the runner chooses to move it.
 * Then it prints one line and exits. Output never holds pids, times, addresses or counts of rounds:
 * it is compared byte for byte with a run without migration.
 *
 * A failed check writes one line to standard error and ends the program with status 1. */
#ifndef COMMON_H
#define COMMON_H
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SHARED __attribute__((unused)) static
#define PAGE 4096L
#define KB 1024L
#define MB (1024L * 1024L)
#define GB (1024L * MB)
#define MILLISECOND 1000000L
#define SECOND 1000000000L

/* How late a time-out may be, in milliseconds: a freeze and a loaded machine may delay it, but a time-out that
 * starts again from the beginning after a move must be seen. TOLERANCE_MS in the environment overrides it. */
#define DEFAULT_TOLERANCE_MS 600

static double run_seconds = 2.5;
static int64_t run_started;
static long run_rounds;
static long tolerance_ms = DEFAULT_TOLERANCE_MS;

__attribute__((noreturn, format(printf, 4, 5))) SHARED void
fail(const char *file, int line, const char *condition, const char *format, ...)
{
    int error = errno;
    char text[512], message[300];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    int length = snprintf(text, sizeof text, "FAILED %s:%d: %s (%s; errno %d)\n", file, line, message, condition, error);
    if (length > (int)sizeof text - 1) length = sizeof text - 1;
    if (write(2, text, length) < 0) _exit(1);
    _exit(1);
}

/* check(condition, format, ...): ends the program with status 1 when the condition is false. */
#define check(condition, ...) \
    do { if (!(condition)) fail(__FILE_NAME__, __LINE__, #condition, __VA_ARGS__); } while (0)

SHARED int64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    check(clock_gettime(clock, &t) == 0, "clock_gettime(%d)", (int)clock);
    return t.tv_sec * SECOND + t.tv_nsec;
}

SHARED int64_t now_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

SHARED struct timespec timespec_of(int64_t ns)
{
    return (struct timespec){ .tv_sec = ns / SECOND, .tv_nsec = ns % SECOND };
}

/* Whether a wait that began at `began` took `wanted_ms`: never less, and at most the tolerance more. */
SHARED void check_duration(int64_t began, long wanted_ms, const char *what)
{
    long took_us = (now_ns() - began) / 1000;
    check(took_us >= wanted_ms * 1000 - 1000, "%s ended early: %ld us of %ld ms", what, took_us, wanted_ms);
    check(took_us <= (wanted_ms + tolerance_ms) * 1000, "%s ended late: %ld us of %ld ms", what, took_us, wanted_ms);
}

SHARED uint64_t churn(long steps)
{
    uint64_t x = 42;
    for (long i = 0; i < steps; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        x ^= x >> 29;
    }
    return x;
}

static uint64_t burn_expected;
#define BURN_STEPS 2000000L

/* About 5 ms of CPU time, so that where the CPU time went can be measured; the result is checked. */
SHARED void burn(void)
{
    check(churn(BURN_STEPS) == burn_expected, "a plain computation gave another result");
}

/* Reads argument 1 (seconds). Call it first. */
SHARED void begin(int argc, char **argv)
{
    if (argc > 1) run_seconds = atof(argv[1]);
    if (getenv("TOLERANCE_MS")) tolerance_ms = atol(getenv("TOLERANCE_MS"));
    burn_expected = churn(BURN_STEPS);
}

SHARED void say(const char *line)
{
    size_t length = strlen(line);
    check(write(1, line, length) == (ssize_t)length, "write to standard output");
}

/* Set-up is over: from now on the program may be moved. */
SHARED void ready(void)
{
    say("ready\n");
    run_started = now_ns();
}

SHARED int64_t nanoseconds_left(void) { return run_started + (int64_t)(run_seconds * SECOND) - now_ns(); }
SHARED long milliseconds_left(void) { return nanoseconds_left() / MILLISECOND; }

/* True until the time is over; at least three rounds. */
SHARED bool working(void) { return run_rounds++ < 3 || nanoseconds_left() > 0; }

/* The last line; `return finish("...")` from main. */
SHARED int finish(const char *result)
{
    char line[300];
    snprintf(line, sizeof line, "done: %s\n", result);
    say(line);
    return 0;
}

SHARED uint8_t pattern_byte(size_t i, unsigned seed) { return (uint8_t)((i * 2654435761u + seed * 40503u) >> 11); }

SHARED void pattern_fill(void *memory, size_t size, unsigned seed)
{
    uint8_t *bytes = memory;
    for (size_t i = 0; i < size; i++) bytes[i] = pattern_byte(i, seed);
}

SHARED void pattern_check(const void *memory, size_t size, unsigned seed, const char *what)
{
    const uint8_t *bytes = memory;
    for (size_t i = 0; i < size; i++)
        check(bytes[i] == pattern_byte(i, seed), "%s: byte %zu is %u", what, i, bytes[i]);
}

SHARED void zero_check(const void *memory, size_t size, const char *what)
{
    const uint8_t *bytes = memory;
    for (size_t i = 0; i < size; i++) check(bytes[i] == 0, "%s: byte %zu is %u, not 0", what, i, bytes[i]);
}

SHARED void *map_anonymous(size_t size, int protection)
{
    void *memory = mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    check(memory != MAP_FAILED, "mmap of %zu bytes", size);
    return memory;
}

SHARED void write_all(int fd, const void *data, size_t size, const char *what)
{
    ssize_t n = write(fd, data, size);
    check(n == (ssize_t)size, "write to %s returned %zd of %zu", what, n, size);
}

SHARED void read_all(int fd, void *data, size_t size, const char *what)
{
    size_t got = 0;
    while (got < size) {
        ssize_t n = read(fd, (char *)data + got, size - got);
        check(n > 0, "read from %s returned %zd", what, n);
        got += n;
    }
}

/* A new file with `size` bytes of the pattern, open for reading and writing at offset 0. */
SHARED int pattern_file(const char *name, size_t size, unsigned seed)
{
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    check(fd >= 0, "open %s", name);
    void *data = malloc(size + 1);
    check(data, "malloc");
    pattern_fill(data, size, seed);
    write_all(fd, data, size, name);
    free(data);
    check(lseek(fd, 0, SEEK_SET) == 0, "lseek");
    return fd;
}

/* Installs a handler with siginfo. */
SHARED void handle(int signal_number, void (*handler)(int, siginfo_t *, void *), int flags)
{
    struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags };
    sigemptyset(&action.sa_mask);
    check(sigaction(signal_number, &action, NULL) == 0, "sigaction(%d)", signal_number);
}

SHARED sigset_t set_of(int first, ...)
{
    sigset_t set;
    sigemptyset(&set);
    va_list more;
    va_start(more, first);
    for (int n = first; n; n = va_arg(more, int)) sigaddset(&set, n);
    va_end(more);
    return set;
}

/* A process forked before "ready" that stays at home; it dies with the program. */
SHARED pid_t helper(void (*body)(void))
{
    pid_t parent = getpid();
    pid_t pid = fork();
    check(pid >= 0, "fork");
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) _exit(1);
        body();
        _exit(0);
    }
    return pid;
}

/* Waits for a helper to end by itself with status 0. */
SHARED void helper_ends(pid_t pid)
{
    int status;
    pid_t got;
    do got = waitpid(pid, &status, 0); while (got < 0 && errno == EINTR);
    check(got == pid, "waitpid of the helper");
    check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the helper ended with status %#x", status);
}

SHARED void thread_start(pthread_t *thread, void *(*body)(void *), void *argument)
{
    int error = pthread_create(thread, NULL, body, argument);
    check(error == 0, "pthread_create: %s", strerror(error));
}

SHARED void *thread_result(pthread_t thread)
{
    void *result = NULL;
    int error = pthread_join(thread, &result);
    check(error == 0, "pthread_join: %s", strerror(error));
    return result;
}

#endif
