/* Descriptors 3 to 9, which shells and build tools use by number: each keeps its file, offset, mode and flags; nothing of
 * the migration's own ever sits on a low number, and a new descriptor gets the lowest free one. */
#include "common.h"
#include <sys/stat.h>

#define SIZE 5000

static void name_of(int fd, char *name) { sprintf(name, "file%d", fd); }

int main(int argc, char **argv)
{
    begin(argc, argv);
    char name[20];
    uint8_t data[SIZE];
    check(close_range(3, ~0U, 0) == 0, "close_range"); /* what the starter left open */
    for (int fd = 3; fd <= 9; fd++) {
        name_of(fd, name);
        int made = pattern_file(name, SIZE, fd);
        close(made);
        int wanted = fd % 2 ? O_RDONLY : O_RDWR | O_APPEND;
        check(open(name, wanted) == fd, "descriptor %d is not the lowest free one", fd);
        check(fcntl(fd, F_SETFD, fd % 3 ? 0 : FD_CLOEXEC) == 0, "F_SETFD");
        check(lseek(fd, fd * 100, SEEK_SET) == fd * 100, "lseek");
    }
    long offset[10] = { 0 };
    long size[10];
    for (int fd = 3; fd <= 9; fd++) offset[fd] = fd * 100, size[fd] = SIZE;
    ready();
    for (int round = 0; working(); round++) {
        for (int fd = 3; fd <= 9; fd++) {
            check(lseek(fd, 0, SEEK_CUR) == offset[fd], "the offset of %d", fd);
            check((fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND)) == (fd % 2 ? O_RDONLY : O_RDWR | O_APPEND), "the mode of %d", fd);
            check(fcntl(fd, F_GETFD) == (fd % 3 ? 0 : FD_CLOEXEC), "FD_CLOEXEC of %d", fd);
            check(pread(fd, data, SIZE, 0) == SIZE, "pread of %d", fd);
            pattern_check(data, SIZE, fd, "file of a low descriptor");
            long step = read(fd, data, 7);
            check(step == 7, "read of %d returned %ld", fd, step);
            for (int i = 0; i < 7; i++)
                check(offset[fd] + i >= SIZE || data[i] == pattern_byte(offset[fd] + i, fd), "byte %d of %d", i, fd);
            offset[fd] += 7;
            if (fd % 2 == 0) {
                write_all(fd, "appended", 8, "the file");
                size[fd] += 8;
                offset[fd] = size[fd];
            }
            if (offset[fd] + 7 > SIZE || fd % 2 == 0) check(lseek(fd, offset[fd] = (fd + round) % 50, SEEK_SET) >= 0, "lseek");
            struct stat st;
            check(fstat(fd, &st) == 0 && st.st_size == size[fd], "the size of file %d", fd);
        }
        check(fcntl(10, F_GETFD) == -1 && errno == EBADF, "descriptor 10 is open");
        check(dup(3) == 10, "10 is not the lowest free descriptor");
        close(10);
        close(5);
        int again = open("file5", O_RDONLY);
        check(again == 5 && lseek(5, offset[5], SEEK_SET) == offset[5], "descriptor 5 anew is %d", again);
        check(fcntl(5, F_SETFD, 0) == 0, "F_SETFD");
        for (int fd = 11; fd < 64; fd++) check(fcntl(fd, F_GETFD) == -1 && errno == EBADF, "descriptor %d is open", fd);
        burn();
    }
    for (int fd = 3; fd <= 9; fd++) name_of(fd, name), unlink(name);
    return finish("low descriptors intact");
}
