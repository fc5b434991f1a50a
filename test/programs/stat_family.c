/* stat and its family: by name, by descriptor, relative, not following links, statx; modes, times, owners, access. */
#include "common.h"
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#define SIZE 12345
static const struct timespec times[2] = { { 1000000000, 111 }, { 1200000000, 222 } };

static void verify(const char *name, int fd, const struct stat *first)
{
    struct stat a, b, c;
    struct statx x;
    check(stat(name, &a) == 0 && fstat(fd, &b) == 0 && fstatat(AT_FDCWD, name, &c, AT_SYMLINK_NOFOLLOW) == 0, "stat");
    check(memcmp(&a, &b, sizeof a) == 0 && memcmp(&a, &c, sizeof a) == 0, "the three ways differ");
    check(a.st_ino == first->st_ino && a.st_dev == first->st_dev && a.st_size == SIZE, "another file");
    check(a.st_mode == (S_IFREG | 0640) && a.st_uid == getuid() && a.st_gid == getgid() && a.st_nlink == 1, "mode or owner");
    check(a.st_mtim.tv_sec == times[1].tv_sec && a.st_mtim.tv_nsec == times[1].tv_nsec, "the time of change");
    check(statx(AT_FDCWD, name, 0, STATX_BASIC_STATS, &x) == 0, "statx");
    check(x.stx_ino == a.st_ino && x.stx_size == SIZE && x.stx_mode == a.st_mode && x.stx_mtime.tv_sec == a.st_mtim.tv_sec, "statx differs");
    check(makedev(x.stx_dev_major, x.stx_dev_minor) == a.st_dev, "the device of statx");
    check(access(name, R_OK | W_OK) == 0, "access");
    check(stat("absent", &a) == -1 && errno == ENOENT, "stat of nothing");
    check(fstat(999, &a) == -1 && errno == EBADF, "fstat of nothing");
    check(stat("/dev/null", &a) == 0 && S_ISCHR(a.st_mode) && a.st_rdev == makedev(1, 3), "stat of /dev/null");
    struct statfs s, t;
    check(statfs(".", &s) == 0 && fstatfs(fd, &t) == 0 && s.f_type == t.f_type && s.f_bsize == t.f_bsize, "statfs");
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    umask(022);
    int fd = pattern_file("file", SIZE, 1);
    struct stat first, st;
    check(fchmod(fd, 0640) == 0 && futimens(fd, times) == 0 && fstat(fd, &first) == 0, "set up");
    ready();
    while (working()) {
        verify("file", fd, &first);
        int fresh = pattern_file("fresh", 10, 2);
        check(fstat(fresh, &st) == 0 && st.st_mode == (S_IFREG | 0644), "the mode of a new file under umask 022");
        check(chmod("fresh", 0400) == 0 && utimensat(AT_FDCWD, "fresh", times, 0) == 0 && truncate("fresh", 5) == (getuid() ? -1 : 0), "change");
        check(stat("fresh", &st) == 0 && (st.st_mode & 07777) == 0400 && st.st_atim.tv_nsec == 111, "changed mode or time");
        check(symlink("absent", "dangling") == 0 && lstat("dangling", &st) == 0 && S_ISLNK(st.st_mode) && st.st_size == 6, "lstat");
        check(stat("dangling", &st) == -1 && errno == ENOENT, "stat of a dangling link");
        check(umask(077) == 022 && mkdir("d", 0777) == 0 && umask(022) == 077, "umask");
        check(stat("d", &st) == 0 && st.st_mode == (S_IFDIR | 0700), "the mode of a new directory under umask 077");
        check(mkfifo("fifo", 0600) == 0 && stat("fifo", &st) == 0 && S_ISFIFO(st.st_mode), "mkfifo");
        close(fresh);
        check(unlink("fresh") == 0 && unlink("dangling") == 0 && unlink("fifo") == 0 && rmdir("d") == 0, "clean up");
        burn();
    }
    unlink("file");
    return finish("status of files is right");
}
