/* Arguments, environment and the auxiliary vector stay as they were, in memory and in /proc/self; so do getenv, setenv, the
 * working directory's name and the path of the program. */
#include "common.h"
#include <sys/auxv.h>

extern char **environ;

static uint64_t digest(const char *text, uint64_t sum)
{
    for (; *text; text++) sum = (sum ^ (uint8_t)*text) * 1099511628211u;
    return sum;
}

static uint64_t digest_all(char **argv)
{
    uint64_t sum = 14695981039346656037u;
    for (; *argv; argv++) sum = digest(*argv, sum);
    for (char **e = environ; *e; e++) sum = digest(*e, sum);
    return sum;
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    check(argc == 4 && strcmp(argv[2], "two words") == 0 && strcmp(argv[3], "") == 0, "the arguments at the start");
    check(getenv("PROGRAM_MARK") && strcmp(getenv("PROGRAM_MARK"), "a=b c") == 0, "the environment at the start");
    uint64_t before = digest_all(argv);
    char own_name[4096] = "", now[4096], line[4096];
    check(readlink("/proc/self/exe", own_name, sizeof own_name - 1) > 0, "readlink of /proc/self/exe");
    int fd = open("/proc/self/cmdline", O_RDONLY);
    ssize_t length = read(fd, line, sizeof line);
    close(fd);
    unsigned long page_size = getauxval(AT_PAGESZ), entry = getauxval(AT_ENTRY), random = *(unsigned long *)getauxval(AT_RANDOM);
    ready();
    while (working()) {
        check(digest_all(argv) == before, "arguments or environment changed");
        check(setenv("PROGRAM_NEW", "value", 1) == 0 && strcmp(getenv("PROGRAM_NEW"), "value") == 0 && unsetenv("PROGRAM_NEW") == 0, "setenv");
        memset(now, 0, sizeof now);
        check(readlink("/proc/self/exe", now, sizeof now - 1) > 0 && strcmp(now, own_name) == 0, "/proc/self/exe is %s", now);
        fd = open("/proc/self/cmdline", O_RDONLY);
        check(fd >= 0 && read(fd, now, sizeof now) == length && memcmp(now, line, length) == 0, "/proc/self/cmdline");
        close(fd);
        check(getauxval(AT_PAGESZ) == page_size && getauxval(AT_ENTRY) == entry, "the auxiliary vector");
        check(*(unsigned long *)getauxval(AT_RANDOM) == random, "the random bytes of the start");
        check(strcmp(program_invocation_name, argv[0]) == 0, "program_invocation_name");
        burn();
    }
    return finish("arguments and environment intact");
}
