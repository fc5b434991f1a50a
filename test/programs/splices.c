/* Data that descriptors pass to each other: sendfile, splice, tee, copy_file_range, and vmsplice, which lends pages. */
#include "common.h"
#include <sys/sendfile.h>
#include <sys/uio.h>

#define SIZE (48 * KB)

static int source, target, one[2], two[2];

static void check_pipe(int fd, size_t size, unsigned seed, const char *what)
{
    static char in[SIZE];
    read_all(fd, in, size, what);
    pattern_check(in, size, seed, what);
}

static void files(unsigned seed)
{
    loff_t from = 0, to = 100;
    check(copy_file_range(source, &from, target, &to, SIZE, 0) == SIZE && from == SIZE && to == 100 + SIZE, "copy_file_range");
    static char in[SIZE];
    check(pread(target, in, SIZE, 100) == SIZE, "pread");
    pattern_check(in, SIZE, seed, "copied file");
    off_t offset = 10;
    check(sendfile(one[1], source, &offset, 1000) == 1000 && offset == 1010, "sendfile");
    read_all(one[0], in, 1000, "sent file");
    for (int i = 0; i < 1000; i++) check((uint8_t)in[i] == pattern_byte(i + 10, seed), "byte %d of the sent file", i);
    check(lseek(source, 0, SEEK_SET) == 0 && sendfile(one[1], source, NULL, SIZE) == SIZE && lseek(source, 0, SEEK_CUR) == SIZE, "sendfile at the file's position");
    check_pipe(one[0], SIZE, seed, "sent file");
}

static void pipes(unsigned seed)
{
    loff_t from = 0;
    check(splice(source, &from, one[1], NULL, SIZE, 0) == SIZE && from == SIZE, "splice from a file");
    check(tee(one[0], two[1], SIZE, 0) == SIZE, "tee");
    check_pipe(one[0], SIZE, seed, "spliced");
    check_pipe(two[0], SIZE, seed, "teed");
    check(splice(source, &(loff_t){ 0 }, one[1], NULL, 4096, 0) == 4096, "splice");
    check(splice(one[0], NULL, two[1], NULL, 4096, SPLICE_F_MOVE) == 4096, "splice between pipes");
    loff_t to = 7;
    check(splice(two[0], NULL, target, &to, 4096, 0) == 4096 && to == 4103, "splice to a file");
    check(splice(one[0], NULL, two[1], NULL, 10, SPLICE_F_NONBLOCK) < 0 && errno == EAGAIN, "splice of an empty pipe");
    check(splice(one[0], &(loff_t){ 0 }, two[1], NULL, 10, 0) < 0 && errno == ESPIPE, "splice at an offset of a pipe");
    check(splice(source, NULL, target, NULL, 10, 0) < 0 && errno == EINVAL, "splice without a pipe");
}

static void pages(unsigned seed)
{
    static char out[3][SIZE / 4], in[SIZE];
    struct iovec from[3], to[2] = { { in, 100 }, { in + 100, SIZE } };
    for (int i = 0; i < 3; i++) pattern_fill(out[i], sizeof out[i], seed + i), from[i] = (struct iovec){ out[i], sizeof out[i] };
    check(vmsplice(one[1], from, 3, 0) == 3 * SIZE / 4, "vmsplice");
    check(vmsplice(one[1], &(struct iovec){ "small", 5 }, 1, 0) == 5, "small vmsplice");
    /* Other calls meanwhile must not change what the pipe holds. */
    check(lseek(source, 0, SEEK_SET) == 0 && read(source, in, SIZE) == SIZE, "read");
    for (int i = 0; i < 3; i++) check_pipe(one[0], sizeof out[i], seed + i, "lent pages");
    check(read(one[0], in, 100) == 5 && memcmp(in, "small", 5) == 0, "small lent page");
    check(write(one[1], out[0], 500) == 500 && vmsplice(one[0], to, 2, 0) == 500, "vmsplice out of a pipe");
    pattern_check(in, 500, seed, "vmsplice out of a pipe");
    check(vmsplice(source, from, 1, 0) < 0 && errno == EBADF, "vmsplice of a file");
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    target = open("target", O_RDWR | O_CREAT | O_TRUNC, 0644);
    check(target >= 0 && pipe(one) == 0 && pipe(two) == 0, "open");
    ready();
    for (unsigned round = 0; working(); round++) {
        source = pattern_file("source", SIZE, round);
        files(round);
        pipes(round);
        pages(round);
        close(source);
        burn();
    }
    return finish("descriptors passed data to each other");
}
