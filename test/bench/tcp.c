/* The floor: what the same link and CPUs give to a plain program.
 *
 * tcp serve PORT                                         answers until it is killed; says "ready"
 * tcp ask ADDRESS PORT REQUEST REPLY COUNT {block|spin}  sends REQUEST bytes, receives REPLY bytes, COUNT times, and
 *                                                        prints the nanoseconds of each; both sides wait as asked */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WARM_UP = 20, CHUNK = 1 << 20 };
struct header { uint32_t request, reply, spin, unused; };
static char buffer[CHUNK];

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void fail(const char *what) { perror(what), exit(1); }

/* Reads exactly `size` bytes into the buffer, again from its start when it is full; 0 at the end of the stream. */
static int take(int fd, size_t size, int spin)
{
    while (size > 0) {
        ssize_t n = recv(fd, buffer, size < CHUNK ? size : CHUNK, spin ? MSG_DONTWAIT : 0);
        if (n == 0) return 0;
        if (n < 0 && errno != EAGAIN && errno != EINTR) return 0;
        if (n > 0) size -= n;
    }
    return 1;
}

static void give(int fd, size_t size)
{
    while (size > 0) {
        ssize_t n = send(fd, buffer, size < CHUNK ? size : CHUNK, MSG_NOSIGNAL);
        if (n <= 0) exit(0);
        size -= n;
    }
}

static void answer(int fd)
{
    struct header header;
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!take(fd, sizeof header, 0)) exit(0);
    memcpy(&header, buffer, sizeof header);
    while (take(fd, header.request, header.spin)) give(fd, header.reply);
    exit(0);
}

static void serve(int port)
{
    int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (void *)&address, sizeof address) < 0 || listen(listener, 4) < 0) fail("listen");
    puts("ready");
    fflush(stdout);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0) fail("accept");
        if (fork() == 0) close(listener), answer(fd);
        close(fd);
        while (waitpid(-1, NULL, WNOHANG) > 0) continue;
    }
}

static void ask(char **argv)
{
    struct header header = { atoi(argv[4]), atoi(argv[5]), strcmp(argv[7], "spin") == 0, 0 };
    int on = 1, count = atoi(argv[6]), fd = socket(AF_INET, SOCK_STREAM, 0);
    int warm_up = header.request > CHUNK ? 1 : WARM_UP;
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[3])) };
    inet_pton(AF_INET, argv[2], &address.sin_addr);
    if (connect(fd, (void *)&address, sizeof address) < 0) fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    memcpy(buffer, &header, sizeof header);
    give(fd, sizeof header);
    for (int i = -warm_up; i < count; i++) {
        int64_t begin = now();
        give(fd, header.request);
        if (!take(fd, header.reply, header.spin)) fail("receive");
        if (i >= 0) printf("%lld\n", (long long)(now() - begin));
    }
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "serve") == 0) serve(atoi(argv[2]));
    if (argc != 8 || strcmp(argv[1], "ask") != 0) return 2;
    ask(argv);
    return 0;
}
