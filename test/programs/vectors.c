/* readv, writev, preadv and pwritev with and without flags: every piece in its place, short ones and long ones, and on
 * descriptors that look at the pieces one by one. */
#include "common.h"
#include <sys/eventfd.h>
#include <sys/uio.h>

#define PIECES 1000

static int file, ends[2], event;

static struct iovec piece(void *base, size_t length) { return (struct iovec){ base, length }; }

/* A thousand pieces of different lengths, there and back. */
static void pieces(int count, size_t step, unsigned seed)
{
    static char out[PIECES * 700], in[PIECES * 700];
    static struct iovec from[PIECES], to[PIECES];
    size_t total = 0, back = 0;
    pattern_fill(out, sizeof out, seed);
    for (int i = 0; i < count; i++) {
        size_t length = i % 5 == 4 ? 0 : (i * 37 + seed) % step;
        from[i] = piece(out + total, length);
        total += length;
    }
    for (int i = 0; i < count; i++) {
        size_t length = i == count - 1 ? total - back : (i * 91 + seed) % step;
        if (length > total - back) length = total - back;
        to[i] = piece(in + back, length);
        back += length;
    }
    memset(in, 0, total + 1);
    check(pwritev(file, from, count, 4096) == (ssize_t)total, "pwritev of %zu bytes", total);
    check(preadv(file, to, count, 4096) == (ssize_t)total, "preadv of %zu bytes", total);
    pattern_check(in, total, seed, "vector");
    check(in[total] == 0, "the byte behind the vector was written");
    check(lseek(file, 4096, SEEK_SET) == 4096, "lseek");
    memset(in, 0, total + 1);
    check(readv(file, to, count) == (ssize_t)total && lseek(file, 0, SEEK_CUR) == 4096 + (off_t)total, "readv");
    pattern_check(in, total, seed, "vector at the file's own position");
}

static void with_flags(unsigned seed)
{
    char out[300], in[300];
    pattern_fill(out, sizeof out, seed);
    struct iovec from[] = { piece(out, 100), piece(out + 100, 200) }, to[] = { piece(in, 299), piece(in + 299, 1) };
    check(ftruncate(file, 1000) == 0, "ftruncate");
    check(pwritev2(file, from, 2, 0, RWF_APPEND) == 300, "pwritev2 that appends");
    check(lseek(file, 0, SEEK_END) == 1300, "it was not appended");
    check(preadv2(file, to, 2, 1000, 0) == 300, "preadv2");
    pattern_check(in, sizeof in, seed, "what was appended");
    check(pwritev2(file, from, 1, 5, RWF_DSYNC) == 100, "pwritev2 with RWF_DSYNC");
    check(lseek(file, 5, SEEK_SET) == 5 && preadv2(file, to, 1, -1, 0) == 299 && lseek(file, 0, SEEK_CUR) == 304, "preadv2 at the file's own position");
    pattern_check(in, 100, seed, "what was written in sync");
    check(preadv2(ends[0], to, 2, -1, RWF_NOWAIT) < 0 && (errno == EAGAIN || errno == EOPNOTSUPP), "preadv2 of an empty pipe");
    check(preadv2(file, to, 2, 0, 0x8000000) < 0 && errno == EOPNOTSUPP, "unknown flags were taken");
}

/* An eventfd takes 8 bytes at a time, so a vector is several writes; a pipe takes it as one. */
static void piecewise(void)
{
    uint64_t one = 1, two = 2, sum = 0;
    struct iovec numbers[] = { piece(&one, 8), piece(&two, 8) };
    check(writev(event, numbers, 2) == 16, "writev to an eventfd");
    check(read(event, &sum, 8) == 8 && sum == 3, "the eventfd has %lu", (unsigned long)sum);
    char text[16] = "";
    struct iovec words[] = { piece("ab", 2), piece("", 0), piece("cde", 3) }, into[] = { piece(text, 1), piece(text + 1, 9) };
    check(writev(ends[1], words, 3) == 5, "writev to a pipe");
    check(readv(ends[0], into, 2) == 5 && strcmp(text, "abcde") == 0, "the pipe has %s", text);
}

/* Direct I/O wants addresses aligned: what is aligned here must be so where the call is made, and what is not, not. */
static void direct(unsigned seed)
{
    int fd = open("direct", O_RDWR | O_CREAT | O_DIRECT, 0644);
    if (fd < 0 && errno == EINVAL) return; /* a file system without it */
    check(fd >= 0, "open with O_DIRECT");
    char *block;
    check(posix_memalign((void **)&block, PAGE, 4 * PAGE) == 0, "posix_memalign");
    pattern_fill(block, 4 * PAGE, seed);
    check(pwrite(fd, block, 2 * PAGE, 0) == 2 * PAGE, "direct pwrite");
    struct iovec both[] = { piece(block, PAGE), piece(block + PAGE, PAGE) };
    check(pwritev(fd, both, 2, 2 * PAGE) == 2 * PAGE, "direct pwritev");
    memset(block, 0, 4 * PAGE);
    check(pread(fd, block, 2 * PAGE, 0) == 2 * PAGE, "direct pread");
    pattern_check(block, 2 * PAGE, seed, "direct");
    free(block);
    close(fd);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    file = open("file", O_RDWR | O_CREAT | O_TRUNC, 0644);
    event = eventfd(0, 0);
    check(file >= 0 && event >= 0 && pipe2(ends, 0) == 0, "open");
    ready();
    for (unsigned round = 0; working(); round++) {
        pieces(2 + round % 9, 50, round);
        if (round % 4 == 0) pieces(PIECES, 20 + round % 680, round);
        with_flags(round);
        piecewise();
        direct(round);
        burn();
    }
    return finish("every piece in its place");
}
