/* What belongs to files beside their bytes: extended attributes, statx, openat2 and its rules, handles, flags, and times. */
#include "common.h"
#include <linux/fs.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

static int file;

/* Extended attributes of users: a file system may lack them, and says so at home as away. */
static void extended(bool supported, unsigned seed)
{
    static char value[4000], got[5000], names[200];
    size_t size = 1 + seed * 97 % 3000;
    pattern_fill(value, size, seed);
    if (!supported) {
        check(fsetxattr(file, "user.one", value, size, 0) < 0 && errno == EOPNOTSUPP, "fsetxattr");
        return;
    }
    check(fsetxattr(file, "user.one", value, size, 0) == 0 && setxattr("file", "user.two", "2", 1, 0) == 0, "setxattr");
    check(fsetxattr(file, "user.one", value, size, XATTR_CREATE) < 0 && errno == EEXIST, "XATTR_CREATE");
    check(getxattr("file", "user.one", NULL, 0) == (ssize_t)size, "size of an attribute");
    memset(got, 0x33, sizeof got);
    check(fgetxattr(file, "user.one", got, sizeof got) == (ssize_t)size && got[size] == 0x33, "fgetxattr");
    pattern_check(got, size, seed, "attribute");
    check(size == 1 || (fgetxattr(file, "user.one", got, size - 1) < 0 && errno == ERANGE), "fgetxattr with too little room");
    ssize_t length = flistxattr(file, names, sizeof names);
    check(length >= 18 && memmem(names, length, "user.one", 9) && memmem(names, length, "user.two", 9), "flistxattr");
    check(removexattr("file", "user.two") == 0 && getxattr("file", "user.two", got, 1) < 0 && errno == ENODATA, "removexattr");
}

static void status(void)
{
    struct statx found;
    memset(&found, 0xee, sizeof found);
    check(statx(AT_FDCWD, "file", AT_SYMLINK_NOFOLLOW, STATX_ALL, &found) == 0 && found.stx_size == 500, "statx");
    struct stat plain;
    check(fstat(file, &plain) == 0 && plain.st_ino == found.stx_ino && plain.st_mtim.tv_nsec == (long)found.stx_mtime.tv_nsec, "statx and fstat differ");
    check(statx(file, "", AT_EMPTY_PATH, STATX_SIZE, &found) == 0 && found.stx_size == 500, "statx of a descriptor");
    check(statx(AT_FDCWD, "no such file", 0, STATX_ALL, &found) < 0 && errno == ENOENT, "statx of nothing");
    struct timespec times[] = { { 1000000, 500 }, { 2000000, 600 } };
    check(futimens(file, times) == 0 && fstat(file, &plain) == 0 && plain.st_atim.tv_sec == 1000000 && plain.st_mtim.tv_nsec == 600, "futimens");
    check(utimensat(AT_FDCWD, "link", times, AT_SYMLINK_NOFOLLOW) == 0 && lstat("link", &plain) == 0 && plain.st_mtim.tv_sec == 2000000, "utimensat");
    int flags = 0, version = 0;
    if (ioctl(file, FS_IOC_GETFLAGS, &flags) == 0) check(ioctl(file, FS_IOC_SETFLAGS, &flags) == 0 || errno == EPERM, "FS_IOC_SETFLAGS");
    else check(errno == ENOTTY || errno == EOPNOTSUPP, "FS_IOC_GETFLAGS");
    check(ioctl(file, FS_IOC_GETVERSION, &version) == 0 || errno == ENOTTY || errno == EOPNOTSUPP, "FS_IOC_GETVERSION");
}

static int open2(const char *path, uint64_t flags, uint64_t resolve, size_t size)
{
    struct open_how how[2] = { { .flags = flags, .resolve = resolve } };
    return syscall(SYS_openat2, AT_FDCWD, path, how, size);
}

static void opening(void)
{
    int fd = open2("file", O_RDONLY, RESOLVE_BENEATH, sizeof(struct open_how));
    check(fd >= 0 && close(fd) == 0, "openat2");
    check(open2("link", O_RDONLY, RESOLVE_NO_SYMLINKS, sizeof(struct open_how)) < 0 && errno == ELOOP, "openat2 of a link");
    check(open2("../file", O_RDONLY, RESOLVE_BENEATH, sizeof(struct open_how)) < 0 && errno == EXDEV, "openat2 that leaves");
    check(open2("file", O_RDONLY, 0, 3) < 0 && errno == EINVAL, "openat2 with a short structure");
    check(open2("file", O_RDONLY, 0, 2 * sizeof(struct open_how)) >= 0, "openat2 with a longer structure");
    check(open2("file", O_RDONLY, 0, 100000) < 0 && errno == E2BIG, "openat2 with an absurd structure");
    check(close(fd) == 0, "close");
    struct {
        struct file_handle handle;
        char bytes[MAX_HANDLE_SZ];
    } found = { .handle.handle_bytes = MAX_HANDLE_SZ };
    int mount = -1;
    int result = name_to_handle_at(AT_FDCWD, "file", &found.handle, &mount, 0);
    check(result == 0 || errno == EOPNOTSUPP, "name_to_handle_at");
    if (result == 0) {
        unsigned needed = found.handle.handle_bytes;
        check(needed > 0 && needed <= MAX_HANDLE_SZ && mount >= 0, "a handle of %u bytes", needed);
        found.handle.handle_bytes = 0;
        check(name_to_handle_at(AT_FDCWD, "file", &found.handle, &mount, 0) < 0 && errno == EOVERFLOW && found.handle.handle_bytes == needed, "name_to_handle_at without room");
    }
    check(close_range(fd, fd + 20, 0) == 0 && fcntl(file, F_GETFD) >= 0, "close_range");
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    file = pattern_file("file", 500, 1);
    check(symlink("file", "link") == 0, "symlink");
    bool supported = fsetxattr(file, "user.try", "x", 1, 0) == 0;
    ready();
    for (unsigned round = 0; working(); round++) {
        extended(supported, round);
        status();
        opening();
        burn();
    }
    return finish("files kept what belongs to them");
}
