/* Arguments, environment and the auxiliary vector stay in memory as they were; getenv and setenv go on. */
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
    unsigned long page_size = getauxval(AT_PAGESZ), entry = getauxval(AT_ENTRY), random = *(unsigned long *)getauxval(AT_RANDOM);
    ready();
    while (working()) {
        check(digest_all(argv) == before, "arguments or environment changed");
        check(setenv("PROGRAM_NEW", "value", 1) == 0 && strcmp(getenv("PROGRAM_NEW"), "value") == 0 && unsetenv("PROGRAM_NEW") == 0, "setenv");
        check(getauxval(AT_PAGESZ) == page_size && getauxval(AT_ENTRY) == entry, "the auxiliary vector");
        check(*(unsigned long *)getauxval(AT_RANDOM) == random, "the random bytes of the start");
        check(strcmp(program_invocation_name, argv[0]) == 0, "program_invocation_name");
        burn();
    }
    return finish("arguments and environment intact");
}
