/* Memory that is to lie near whoever uses it (mbind with an empty set of nodes), as libraries of linear algebra ask for
 * their buffers. It names no node of the machine, so it means the same on each. */
#include "common.h"

#define SIZE (256 * KB)
#define MPOL_DEFAULT 0
#define MPOL_PREFERRED 1
#define MPOL_BIND 2

static long bind(void *memory, size_t size, int mode) { return syscall(SYS_mbind, memory, size, mode, NULL, 0UL, 0); }

int main(int argc, char **argv)
{
    begin(argc, argv);
    /* A kernel without NUMA has no such call, on every node alike. */
    bool present = bind(NULL, 0, MPOL_DEFAULT) == 0;
    ready();
    for (unsigned round = 0; working(); round++) {
        char *memory = map_anonymous(SIZE, PROT_READ | PROT_WRITE);
        if (present) {
            check(bind(memory, SIZE, MPOL_PREFERRED) == 0, "MPOL_PREFERRED");
            check(bind(memory, SIZE / 2, MPOL_DEFAULT) == 0, "MPOL_DEFAULT");
            check(bind(memory, SIZE, MPOL_BIND) == -1 && errno == EINVAL, "MPOL_BIND to nothing");
            check(bind(memory + 1, SIZE, MPOL_PREFERRED) == -1 && errno == EINVAL, "an address within a page");
        } else
            check(bind(memory, SIZE, MPOL_PREFERRED) == -1 && errno == ENOSYS, "mbind");
        pattern_fill(memory, SIZE, round);
        burn();
        pattern_check(memory, SIZE, round, "memory with a policy");
        check(munmap(memory, SIZE) == 0, "munmap");
    }
    return finish("memory near its user");
}
