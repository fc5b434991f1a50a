/* One write and one read of 10 MB on a file return the full count, as they do at home; so do vectors and positions. */
#include "common.h"
#include <sys/uio.h>

#define SIZE (10 * MB)

int main(int argc, char **argv)
{
    begin(argc, argv);
    uint8_t *out = map_anonymous(SIZE, PROT_READ | PROT_WRITE), *in = map_anonymous(SIZE, PROT_READ | PROT_WRITE);
    pattern_fill(out, SIZE, 1);
    int fd = open("big", O_RDWR | O_CREAT | O_TRUNC, 0644);
    check(fd >= 0, "open");
    ready();
    for (int round = 0; working(); round++) {
        out[round] ^= 0x55;
        check(lseek(fd, 0, SEEK_SET) == 0, "lseek");
        write_all(fd, out, SIZE, "the file");
        check(lseek(fd, 0, SEEK_CUR) == SIZE, "the offset after a large write");
        check(lseek(fd, 0, SEEK_SET) == 0, "lseek");
        memset(in, 0, SIZE);
        ssize_t got = read(fd, in, SIZE);
        check(got == SIZE, "read returned %zd", got);
        check(memcmp(in, out, SIZE) == 0, "what was read differs");
        check(read(fd, in, SIZE) == 0, "read at the end");
        if (round % 2) {
            struct iovec parts[3] = { { out, SIZE / 2 }, { out + SIZE / 2, 1 }, { out + SIZE / 2 + 1, SIZE / 2 - 1 } };
            check(pwritev(fd, parts, 3, 0) == SIZE, "pwritev");
            struct iovec back[2] = { { in, 12345 }, { in + 12345, SIZE - 12345 } };
            memset(in, 0, SIZE);
            check(preadv(fd, back, 2, 0) == SIZE, "preadv");
            check(memcmp(in, out, SIZE) == 0, "what preadv read differs");
        }
        check(pread(fd, in, SIZE, SIZE - 100) == 100, "pread across the end");
        for (int i = 0; i < 20; i++) burn();
    }
    close(fd);
    unlink("big");
    return finish("10 MB at once");
}
