/* Directories and names: mkdir, getdents in small steps, rename, link, symlink, readlink, unlink, chdir, getcwd and the calls
 * relative to a directory; an open directory keeps its place through a move. */
#include "common.h"
#include <dirent.h>
#include <sys/stat.h>

#define ENTRIES 300

static void create(const char *name)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);
    check(fd >= 0, "create %s", name);
    close(fd);
}

/* Reads on in an open directory with a buffer of a few entries, and checks off what it finds. */
static bool read_some(int fd, bool *seen)
{
    char buffer[200];
    long got = syscall(SYS_getdents64, fd, buffer, sizeof buffer);
    check(got >= 0, "getdents64");
    for (long at = 0; at < got;) {
        struct dirent64 *entry = (struct dirent64 *)(buffer + at);
        at += entry->d_reclen;
        if (entry->d_name[0] == '.') continue;
        int n = atoi(entry->d_name + 1);
        check(entry->d_name[0] == 'e' && n < ENTRIES && !seen[n], "entry %s", entry->d_name);
        seen[n] = true;
    }
    return got > 0;
}

static void names(const char *here)
{
    char text[4096], expected[4200];
    check(mkdir("new", 0750) == 0 && mkdir("new", 0750) == -1 && errno == EEXIST, "mkdir");
    create("new/a");
    check(link("new/a", "new/b") == 0 && symlink("b", "new/c") == 0, "link and symlink");
    check(readlink("new/c", text, sizeof text) == 1 && text[0] == 'b', "readlink");
    struct stat a, b;
    check(stat("new/a", &a) == 0 && stat("new/c", &b) == 0 && a.st_ino == b.st_ino && a.st_nlink == 2, "stat of links");
    check(rename("new/a", "new/d") == 0 && access("new/a", F_OK) == -1 && errno == ENOENT, "rename");
    check(rmdir("new") == -1 && errno == ENOTEMPTY, "rmdir of a full directory");
    check(chdir("new") == 0 && getcwd(text, sizeof text), "chdir");
    snprintf(expected, sizeof expected, "%s/new", here);
    check(strcmp(text, expected) == 0, "getcwd says %s", text);
    check(access("d", R_OK) == 0 && chdir("..") == 0, "a relative name");
    int fd = open("new", O_RDONLY | O_DIRECTORY);
    check(fd >= 0 && faccessat(fd, "d", F_OK, 0) == 0, "faccessat");
    check(mkdirat(fd, "e", 0700) == 0 && renameat(fd, "d", fd, "e/d") == 0, "mkdirat and renameat");
    int file = openat(fd, "e/d", O_RDONLY);
    check(file >= 0, "openat");
    close(file);
    check(fchdir(fd) == 0 && getcwd(text, sizeof text) && strcmp(text, expected) == 0, "fchdir");
    check(chdir("..") == 0, "chdir");
    check(unlinkat(fd, "e/d", 0) == 0 && unlinkat(fd, "e", AT_REMOVEDIR) == 0, "unlinkat");
    check(unlink("new/b") == 0 && unlink("new/c") == 0 && unlink("new/c") == -1 && errno == ENOENT, "unlink");
    close(fd);
    check(rmdir("new") == 0, "rmdir");
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    char here[4096], now[4096], name[20];
    check(mkdir("full", 0700) == 0 && getcwd(here, sizeof here), "mkdir");
    for (int i = 0; i < ENTRIES; i++) sprintf(name, "full/e%d", i), create(name);
    int fd = open("full", O_RDONLY | O_DIRECTORY);
    bool seen[ENTRIES] = { 0 };
    bool more = true;
    ready();
    while (working()) {
        for (int i = 0; i < 3 && more; i++) more = read_some(fd, seen);
        DIR *fresh = opendir("full");
        int count = 0;
        while (readdir(fresh)) count++;
        closedir(fresh);
        check(count == ENTRIES + 2, "readdir found %d entries", count);
        names(here);
        check(getcwd(now, sizeof now) && strcmp(now, here) == 0, "getcwd says %s", now);
        burn();
    }
    while (read_some(fd, seen)) {}
    for (int i = 0; i < ENTRIES; i++) {
        check(seen[i], "entry %d was not found", i);
        sprintf(name, "full/e%d", i);
        check(unlink(name) == 0, "unlink %s", name);
    }
    check(rmdir("full") == 0, "rmdir");
    return finish("names and directories are right");
}
