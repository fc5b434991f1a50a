/* The program break: grows and shrinks, keeps its content, and memory that comes back is zero. */
#include "common.h"

static void grow_and_shrink(long bytes, unsigned seed)
{
    char *old = sbrk(0);
    check(sbrk(bytes) == (void *)old, "sbrk(%ld)", bytes);
    zero_check(old, bytes, "new heap memory");
    pattern_fill(old, bytes, seed);
    pattern_check(old, bytes, seed, "heap");
    check(sbrk(-bytes) == old + bytes, "sbrk(-%ld)", bytes);
    check(sbrk(0) == (void *)old, "the break after shrinking");
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    char *kept = sbrk(3 * MB);
    check(kept != (void *)-1, "sbrk");
    /* Page-aligned steps: what is left of a partial page would not be zero again. */
    long rest = (PAGE - (long)((uintptr_t)sbrk(0) % PAGE)) % PAGE;
    check(sbrk(rest) != (void *)-1, "sbrk");
    char *base = sbrk(0);
    pattern_fill(kept, 3 * MB, 1);
    ready();
    for (unsigned round = 0; working(); round++) {
        pattern_check(kept, 3 * MB, 1, "heap from before");
        check(sbrk(0) == (void *)base, "the break moved by itself");
        grow_and_shrink(PAGE * (1 + round % 300), round);
        check(syscall(SYS_brk, 0) == (long)base, "brk(0)");
        check(syscall(SYS_brk, 8) == (long)base, "an impossible brk changes nothing");
        burn();
    }
    return finish("heap intact");
}
