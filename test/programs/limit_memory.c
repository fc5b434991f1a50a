/* Limits of memory hold wherever the program is: address space, data segment, and a limit set after the start. */
#include "common.h"
#include <sys/resource.h>

static void refused(const char *what)
{
    void *memory = mmap(NULL, 512 * MB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(memory == MAP_FAILED && errno == ENOMEM, "%s does not hold", what);
}

static void granted(void)
{
    void *memory = map_anonymous(16 * MB, PROT_READ | PROT_WRITE);
    memset(memory, 1, 16 * MB);
    munmap(memory, 16 * MB);
}

static void set(int which, rlim_t value)
{
    struct rlimit limit;
    check(getrlimit(which, &limit) == 0, "getrlimit");
    limit.rlim_cur = value;
    check(setrlimit(which, &limit) == 0, "setrlimit");
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    set(RLIMIT_AS, 256 * MB);
    ready();
    for (int round = 0; working(); round++) {
        refused("RLIMIT_AS");
        granted();
        if (round % 4 == 3) {
            set(RLIMIT_AS, RLIM_INFINITY);
            set(RLIMIT_DATA, 300 * MB);
            refused("RLIMIT_DATA");
            granted();
            set(RLIMIT_DATA, RLIM_INFINITY);
            munmap(map_anonymous(512 * MB, PROT_READ | PROT_WRITE), 512 * MB);
            set(RLIMIT_AS, 256 * MB);
        }
        burn();
    }
    return finish("memory limits hold");
}
