/* What the program sees of itself in /proc/self: its path, command line, name, ids, threads, descriptors and maps. */
#include "common.h"
#include <dirent.h>

static ssize_t content(const char *name, char *text, size_t size)
{
    int fd = open(name, O_RDONLY);
    check(fd >= 0, "open %s", name);
    ssize_t length = 0, got;
    while ((got = read(fd, text + length, size - 1 - length)) > 0) length += got;
    check(got == 0, "read of %s", name);
    close(fd);
    text[length] = 0;
    return length;
}

static int entries(const char *name)
{
    DIR *directory = opendir(name);
    check(directory, "open %s", name);
    int count = 0;
    for (struct dirent *e; (e = readdir(directory));) count += e->d_name[0] != '.';
    closedir(directory);
    return count;
}

static long field(const char *status, const char *name)
{
    const char *at = strstr(status, name);
    check(at, "%s is not in /proc/self/status", name);
    return atol(at + strlen(name));
}

/* Whether /proc/self/maps shows the range with these rights. */
static void check_map(const char *maps, const void *start, size_t size, const char *rights)
{
    char line[80];
    snprintf(line, sizeof line, "%lx-%lx %s", (long)start, (long)start + (long)size, rights);
    check(strstr(maps, line), "/proc/self/maps does not show %s", rights);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    static char path[4096], now[4096], line[4096], now_line[4096], text[256 * KB];
    check(readlink("/proc/self/exe", path, sizeof path - 1) > 0, "readlink of /proc/self/exe");
    ssize_t length = content("/proc/self/cmdline", line, sizeof line);
    int descriptors = entries("/proc/self/fd");
    char *room = map_anonymous(3 * PAGE, PROT_NONE);
    check(mprotect(room + PAGE, PAGE, PROT_READ | PROT_WRITE) == 0, "mprotect");
    ready();
    while (working()) {
        memset(now, 0, sizeof now);
        check(readlink("/proc/self/exe", now, sizeof now - 1) > 0 && strcmp(now, path) == 0, "/proc/self/exe is %s", now);
        check(content("/proc/self/cmdline", now_line, sizeof now_line) == length && memcmp(line, now_line, length) == 0, "/proc/self/cmdline");
        content("/proc/self/comm", text, sizeof text);
        check(strcmp(text, "proc_self\n") == 0, "/proc/self/comm is %s", text);
        content("/proc/self/status", text, sizeof text);
        check(field(text, "\nPid:\t") == getpid() && field(text, "\nThreads:\t") == 1 && field(text, "\nPPid:\t") == getppid(), "/proc/self/status");
        check(entries("/proc/self/task") == 1 && entries("/proc/self/fd") == descriptors, "/proc/self/task or /proc/self/fd");
        char *fresh = map_anonymous(3 * PAGE, PROT_NONE);
        check(mprotect(fresh + PAGE, PAGE, PROT_READ) == 0, "mprotect");
        content("/proc/self/maps", text, sizeof text);
        check_map(text, room + PAGE, PAGE, "rw-p");
        check_map(text, fresh + PAGE, PAGE, "r--p");
        munmap(fresh, 3 * PAGE);
        burn();
    }
    return finish("seen right in /proc/self");
}
