/* Descriptors: dup, dup2, dup3, fcntl, flags shared or not shared by duplicates, locks of both kinds, close_range; the highest
 * number the limit allows. */
#include "common.h"
#include <linux/close_range.h>
#include <sys/file.h>
#include <sys/resource.h>

static void expect_lock(int fd, short type)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 10 };
    check(fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type == type, "the lock is of type %d instead of %d", lock.l_type, type);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    struct rlimit limit;
    check(getrlimit(RLIMIT_NOFILE, &limit) == 0, "getrlimit");
    int highest = (limit.rlim_cur < 4096 ? (int)limit.rlim_cur : 4096) - 1;
    int fd = pattern_file("file", 1000, 1);
    check(dup2(fd, highest) == highest, "dup2 to %d", highest);
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 100 };
    check(fcntl(fd, F_OFD_SETLK, &lock) == 0, "F_OFD_SETLK");
    int second = open("file", O_RDWR);
    ready();
    while (working()) {
        uint8_t data[1000];
        check(pread(highest, data, 1000, 0) == 1000, "pread of the highest descriptor");
        pattern_check(data, 1000, 1, "file");
        expect_lock(second, F_WRLCK);
        expect_lock(fd, F_UNLCK);

        int copy = dup(fd), placed = dup3(fd, 100, O_CLOEXEC), above = fcntl(fd, F_DUPFD_CLOEXEC, 50);
        check(copy > fd && placed == 100 && above >= 50, "duplicates are %d, %d, %d", copy, placed, above);
        check(fcntl(copy, F_GETFD) == 0 && fcntl(placed, F_GETFD) == FD_CLOEXEC && fcntl(above, F_GETFD) == FD_CLOEXEC, "FD_CLOEXEC");
        check(fcntl(copy, F_SETFL, O_APPEND | O_NONBLOCK) == 0 && (fcntl(fd, F_GETFL) & O_NONBLOCK), "duplicates share status flags");
        check(fcntl(fd, F_SETFL, 0) == 0 && !(fcntl(placed, F_GETFL) & O_APPEND), "flags are taken back");
        check(dup2(fd, fd) == fd && dup3(fd, fd, 0) == -1 && errno == EINVAL, "dup onto itself");
        check(dup2(999, 100) == -1 && errno == EBADF && fcntl(100, F_GETFD) == FD_CLOEXEC, "dup2 of nothing");
        check(close_range(copy, copy, 0) == 0 && close(copy) == -1 && errno == EBADF, "close_range");
        close(placed);
        close(above);

        int a = open("file", O_RDWR), b = open("file", O_RDWR);
        check(flock(a, LOCK_EX) == 0 && flock(b, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK, "flock");
        check(flock(a, LOCK_UN) == 0 && flock(b, LOCK_SH | LOCK_NB) == 0, "flock after unlock");
        close(a);
        close(b);
        burn();
    }
    unlink("file");
    return finish("descriptors are right");
}
