/* A huge PROT_NONE reservation of which pieces are made usable, as language runtimes do. */
#include "common.h"
#include <setjmp.h>

#define RESERVED (256 * GB)
#define PIECE (256 * KB)

static sigjmp_buf back;
static void *fault_address;
static volatile sig_atomic_t fault_code;

static void on_fault(int n, siginfo_t *info, void *context)
{
    (void)n, (void)context;
    fault_address = info->si_addr;
    fault_code = info->si_code;
    siglongjmp(back, 1);
}

static void must_fault(volatile char *address)
{
    if (sigsetjmp(back, 1) == 0) {
        (void)*address;
        check(false, "reserved memory could be read");
    }
    check(fault_address == (void *)address, "si_addr of the fault");
    check(fault_code == SEGV_ACCERR, "si_code of the fault is %d", (int)fault_code);
}

static char *usable(char *base, long at)
{
    check(mprotect(base + at, PIECE, PROT_READ | PROT_WRITE) == 0, "mprotect in the reservation");
    return base + at;
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    handle(SIGSEGV, on_fault, 0);
    char *base = map_anonymous(RESERVED, PROT_NONE);
    char *first = usable(base, 5 * GB), *last = usable(base, RESERVED - PIECE);
    pattern_fill(first, PIECE, 1);
    pattern_fill(last, PIECE, 2);
    ready();
    for (long round = 0; working(); round++) {
        pattern_check(first, PIECE, 1, "piece from before");
        pattern_check(last, PIECE, 2, "last piece from before");
        char *piece = usable(base, 10 * GB + (round % 200) * GB);
        zero_check(piece, PIECE, "new piece");
        pattern_fill(piece, PIECE, round);
        pattern_check(piece, PIECE, round, "new piece");
        must_fault(piece + PIECE);
        must_fault(piece - 1);
        /* Given back: PROT_NONE again, and zero the next time. */
        check(madvise(piece, PIECE, MADV_DONTNEED) == 0 && mprotect(piece, PIECE, PROT_NONE) == 0, "give back");
        must_fault(piece);
        char *again = map_anonymous(RESERVED, PROT_NONE);
        must_fault(again + RESERVED / 2);
        check(munmap(again, RESERVED) == 0, "munmap of a reservation");
        burn();
    }
    return finish("reservation intact");
}
