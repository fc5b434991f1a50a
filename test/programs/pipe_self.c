/* Pipes to itself and between threads: bytes left in a pipe stay there through a move, capacity and flags are kept, a full
 * pipe refuses, a closed one gives EOF or EPIPE, and a pipe between threads carries everything in order. */
#include "common.h"
#include <sys/ioctl.h>

#define CAPACITY (128 * KB)

static int stream[2];
static volatile bool stop;

static void *producer(void *argument)
{
    uint8_t block[3000];
    unsigned n = 0;
    for (; !stop; n++) {
        pattern_fill(block, sizeof block, n);
        for (size_t sent = 0; sent < sizeof block;) {
            ssize_t got = write(stream[1], block + sent, sizeof block - sent);
            check(got > 0, "write to the pipe returned %zd", got);
            sent += got;
        }
    }
    close(stream[1]);
    *(unsigned *)argument = n;
    return NULL;
}

static void fill_and_drain(void)
{
    int p[2];
    static uint8_t data[CAPACITY];
    check(pipe2(p, O_NONBLOCK | O_CLOEXEC) == 0, "pipe2");
    check(fcntl(p[1], F_SETPIPE_SZ, CAPACITY) == CAPACITY, "F_SETPIPE_SZ");
    pattern_fill(data, CAPACITY, 3);
    write_all(p[1], data, CAPACITY, "an empty pipe");
    check(write(p[1], "x", 1) == -1 && errno == EAGAIN, "write to a full pipe");
    int waiting;
    check(ioctl(p[0], FIONREAD, &waiting) == 0 && waiting == CAPACITY, "FIONREAD says %d", waiting);
    memset(data, 0, CAPACITY);
    read_all(p[0], data, CAPACITY, "a full pipe");
    pattern_check(data, CAPACITY, 3, "pipe");
    check(read(p[0], data, 1) == -1 && errno == EAGAIN, "read of an empty pipe");
    close(p[1]);
    check(read(p[0], data, 1) == 0, "end of a pipe");
    close(p[0]);
    check(pipe(p) == 0, "pipe");
    close(p[0]);
    check(write(p[1], "x", 1) == -1 && errno == EPIPE, "write to a closed pipe");
    close(p[1]);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    int kept[2];
    uint8_t data[5000];
    check(pipe(kept) == 0 && pipe(stream) == 0, "pipe");
    check(fcntl(kept[0], F_SETPIPE_SZ, CAPACITY) == CAPACITY, "F_SETPIPE_SZ");
    pattern_fill(data, sizeof data, 1);
    write_all(kept[1], data, sizeof data, "the pipe");
    pthread_t thread;
    unsigned produced, consumed = 0;
    thread_start(&thread, producer, &produced);
    ready();
    for (; working(); consumed++) {
        read_all(stream[0], data, 3000, "the thread's pipe");
        pattern_check(data, 3000, consumed, "block from the thread");
        if (consumed % 10 == 0) {
            fill_and_drain();
            int waiting;
            check(ioctl(kept[0], FIONREAD, &waiting) == 0 && waiting == sizeof data, "bytes in the pipe: %d", waiting);
            check(fcntl(kept[0], F_GETPIPE_SZ) == CAPACITY, "the capacity of the pipe from before");
        }
        burn();
    }
    stop = true;
    for (; read(stream[0], data, 1) == 1; consumed++) {
        read_all(stream[0], data + 1, 2999, "the thread's pipe");
        pattern_check(data, 3000, consumed, "last blocks");
    }
    thread_result(thread);
    check(consumed == produced, "%u blocks of %u", consumed, produced);
    read_all(kept[0], data, sizeof data, "the pipe from before");
    pattern_check(data, sizeof data, 1, "bytes from before");
    return finish("pipes carry");
}
