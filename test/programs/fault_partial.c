/* A transfer whose buffer is there only in part moves that part and says so: the rest stays where it was. */
#include "common.h"
#include <sys/socket.h>
#include <sys/uio.h>

enum { SMALL = 4 * PAGE, LARGE = 512 * PAGE, SLACK = PAGE };

static int file;
static char *area; /* LARGE bytes, then a page that is not there */

/* `there` bytes are mapped of the `there + SLACK` that are asked for. */
static void reads(size_t there, unsigned seed)
{
    char *buffer = area + LARGE - there;
    memset(buffer, 1, there);
    check(lseek(file, 0, SEEK_SET) == 0, "lseek");
    ssize_t got = read(file, buffer, there + SLACK);
    check(got == (ssize_t)there, "read gave %zd of %zu", got, there);
    check(lseek(file, 0, SEEK_CUR) == (off_t)there, "the position after read");
    pattern_check(buffer, there, seed, "read");
    memset(buffer, 1, there);
    struct iovec parts[] = { { buffer, PAGE }, { buffer + PAGE, there }, { buffer, PAGE } };
    got = preadv(file, parts, 3, 0);
    check(got == (ssize_t)there, "preadv gave %zd of %zu", got, there);
    pattern_check(buffer, there, seed, "preadv");
}

/* A stream socket takes what it can copy and leaves the rest; how much that is, is the kernel's affair. */
static void sends(size_t there, unsigned seed)
{
    int ends[2], length = LARGE * 2;
    check(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "socketpair");
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &length, sizeof length);
    char *buffer = area + LARGE - there, *back = malloc(there);
    pattern_fill(buffer, there, seed);
    ssize_t sent = send(ends[0], buffer, there + SLACK, MSG_DONTWAIT);
    check(sent > 0 ? (size_t)sent <= there : errno == EFAULT, "send gave %zd of %zu", sent, there);
    close(ends[0]);
    for (ssize_t done = 0, got; (got = read(ends[1], back + done, there - done)) > 0; done += got)
        check(done + got <= sent, "more came than was sent");
    if (sent > 0) pattern_check(back, sent, seed, "send");
    free(back);
    close(ends[1]);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    area = map_anonymous(LARGE + SLACK, PROT_READ | PROT_WRITE);
    check(munmap(area + LARGE, SLACK) == 0, "munmap");
    file = open("file", O_RDWR | O_CREAT | O_TRUNC, 0644);
    char *contents = malloc(LARGE + SLACK);
    pattern_fill(contents, LARGE + SLACK, 7);
    write_all(file, contents, LARGE + SLACK, "file");
    ready();
    for (unsigned round = 0; working(); round++) {
        reads(SMALL, 7);
        reads(LARGE, 7);
        sends(SMALL, round);
        sends(LARGE / 8, round);
        burn();
    }
    return finish("parts are parts");
}
