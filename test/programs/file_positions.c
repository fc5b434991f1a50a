/* Reading and writing a file in all ways: append, lseek with holes, pread, pwrite, readv, writev, truncation, and offsets
 * that duplicates share. */
#include "common.h"
#include <sys/stat.h>
#include <sys/uio.h>

#define SIZE (100 * KB)

static void anew(int fd)
{
    char data[64];
    struct iovec out[3] = { { "one ", 4 }, { "two ", 4 }, { "three", 5 } };
    check(ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0, "ftruncate");
    check(writev(fd, out, 3) == 13, "writev");
    check(pwrite(fd, "TWO", 3, 4) == 3 && lseek(fd, 0, SEEK_CUR) == 13, "pwrite");
    check(pread(fd, data, sizeof data, 0) == 13 && memcmp(data, "one TWO three", 13) == 0, "pread");
    char a[5], b[8];
    struct iovec in[2] = { { a, 5 }, { b, 8 } };
    check(lseek(fd, -13, SEEK_END) == 0 && readv(fd, in, 2) == 13, "readv");
    check(memcmp(a, "one T", 5) == 0 && memcmp(b, "WO three", 8) == 0, "what readv read");
    check(lseek(fd, SIZE, SEEK_SET) == SIZE, "lseek beyond the end");
    write_all(fd, "end", 3, "the file");
    check(pread(fd, data, 64, 5000) == 64, "pread of the hole");
    zero_check(data, 64, "the hole");
    check(lseek(fd, 0, SEEK_DATA) == 0 && lseek(fd, 0, SEEK_END) == SIZE + 3, "SEEK_DATA and SEEK_END");
    check(lseek(fd, -1, SEEK_SET) == -1 && errno == EINVAL, "lseek to -1");
    check(posix_fallocate(fd, 0, 2 * SIZE) == 0, "posix_fallocate");
    struct stat st;
    check(fstat(fd, &st) == 0 && st.st_size == 2 * SIZE, "the size after posix_fallocate");
    check(fsync(fd) == 0 && fdatasync(fd) == 0, "fsync");
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    int fd = pattern_file("positions", SIZE, 1), same = dup(fd);
    int log = open("log", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    int scratch = open("scratch", O_RDWR | O_CREAT | O_TRUNC, 0600);
    check(log >= 0 && scratch >= 0, "open");
    long offset = 0, lines = 0;
    ready();
    while (working()) {
        uint8_t data[1000];
        long n = offset + 1000 <= SIZE ? 1000 : SIZE - offset;
        check(read(lines % 2 ? fd : same, data, sizeof data) == n, "read at %ld", offset);
        for (long i = 0; i < n; i++) check(data[i] == pattern_byte(offset + i, 1), "byte %ld", offset + i);
        offset += n;
        check(lseek(fd, 0, SEEK_CUR) == offset && lseek(same, 0, SEEK_CUR) == offset, "duplicates do not share the offset");
        if (n < 1000) check(lseek(fd, offset = 0, SEEK_SET) == 0, "lseek");
        check(lseek(log, 0, SEEK_SET) == 0, "lseek of the log");
        write_all(log, "0123456789abcde\n", 16, "the log"); /* at the end nevertheless */
        lines++;
        anew(scratch);
        burn();
    }
    close(log);
    log = open("log", O_RDONLY);
    char line[16];
    for (long i = 0; i < lines; i++) {
        read_all(log, line, 16, "the log");
        check(memcmp(line, "0123456789abcde\n", 16) == 0, "line %ld of the log", i);
    }
    check(read(log, line, 1) == 0, "the log is too long");
    unlink("positions"), unlink("log"), unlink("scratch");
    return finish("positions are right");
}
