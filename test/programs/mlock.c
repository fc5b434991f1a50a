/* Locked memory: content stays, and the lock is real (MADV_DONTNEED of locked pages is refused). */
#include "common.h"

#define SIZE (256 * KB)

static void must_be_locked(char *memory)
{
    check(madvise(memory, SIZE, MADV_DONTNEED) == -1 && errno == EINVAL, "MADV_DONTNEED of locked memory is not refused");
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    char *kept = map_anonymous(SIZE, PROT_READ | PROT_WRITE);
    check(mlock(kept, SIZE) == 0, "mlock");
    pattern_fill(kept, SIZE, 1);
    ready();
    for (unsigned round = 0; working(); round++) {
        pattern_check(kept, SIZE, 1, "locked memory from before");
        must_be_locked(kept);
        char *fresh = map_anonymous(SIZE, PROT_READ | PROT_WRITE);
        check((round % 2 ? mlock(fresh, SIZE) : mlock2(fresh, SIZE, MLOCK_ONFAULT)) == 0, "lock new memory");
        pattern_fill(fresh, SIZE, round);
        must_be_locked(fresh);
        check(munlock(fresh, SIZE) == 0, "munlock");
        pattern_check(fresh, SIZE, round, "unlocked memory");
        check(madvise(fresh, SIZE, MADV_DONTNEED) == 0, "MADV_DONTNEED after munlock");
        zero_check(fresh, SIZE, "dropped memory");
        check(munmap(fresh, SIZE) == 0, "munmap");
        burn();
    }
    check(munlock(kept, SIZE) == 0 && madvise(kept, SIZE, MADV_DONTNEED) == 0, "unlock memory from before");
    return finish("locks kept");
}
