/* All the descriptors that RLIMIT_NOFILE allows are in use: no new one can be had, and the old ones stay what they are. Files
 * are mapped meanwhile, through the one descriptor that is given up for it. The hard limit is higher, as it usually is. */
#include "common.h"
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define LIMIT 24
#define SIZE 9000

int main(int argc, char **argv)
{
    begin(argc, argv);
    check(close_range(3, ~0U, 0) == 0, "close_range"); /* what the starter left open */
    struct rlimit limit = { LIMIT, 2 * LIMIT }, now;
    check(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
    int first = pattern_file("file", SIZE, 1);
    while (dup(first) >= 0) continue;
    check(errno == EMFILE, "dup up to the limit");
    struct stat wanted, found;
    check(fstat(first, &wanted) == 0, "fstat");
    void *mapped = NULL;
    ready();
    for (unsigned round = 0; working(); round++) {
        check(dup(first) == -1 && errno == EMFILE, "one more descriptor");
        check(getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur == LIMIT && now.rlim_max == 2 * LIMIT, "the limit");
        for (int fd = first; fd < LIMIT; fd++)
            check(fstat(fd, &found) == 0 && found.st_ino == wanted.st_ino, "descriptor %d is another one", fd);
        if (mapped) {
            pattern_check(mapped, SIZE, 1, "the mapped file");
            check(munmap(mapped, SIZE) == 0, "munmap");
        }
        check(close(LIMIT - 1) == 0, "close");
        check(open("file", O_RDONLY) == LIMIT - 1, "open of the only free descriptor");
        mapped = mmap(NULL, SIZE, PROT_READ, MAP_PRIVATE, LIMIT - 1, 0);
        check(mapped != MAP_FAILED, "mmap");
        burn();
    }
    pattern_check(mapped, SIZE, 1, "the mapped file at the end");
    return finish("the descriptors stayed");
}
