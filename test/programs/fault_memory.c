/* SIGSEGV handlers: si_addr and si_code are right, a handler that makes the page usable lets the instruction go on
 * (as garbage collectors do), one that leaps goes on elsewhere. */
#include "common.h"
#include <setjmp.h>

#define PAGES 32

static char *area;
static volatile int repaired;
static sigjmp_buf back;
static volatile bool leap;
static siginfo_t seen;
static volatile long long error_code;

static void on_fault(int n, siginfo_t *info, void *context)
{
    (void)n;
    seen = *info;
    error_code = ((ucontext_t *)context)->uc_mcontext.gregs[REG_ERR];
    if (leap) siglongjmp(back, 1);
    char *page = (char *)((uintptr_t)info->si_addr & ~(uintptr_t)(PAGE - 1));
    check(page >= area && page < area + PAGES * PAGE, "a fault at an address nobody touched");
    check(mprotect(page, PAGE, PROT_READ | PROT_WRITE) == 0, "mprotect in the handler");
    repaired++;
}

static void barrier(unsigned seed)
{
    check(mprotect(area, PAGES * PAGE, PROT_READ) == 0, "mprotect");
    repaired = 0;
    leap = false;
    for (int i = 0; i < PAGES; i++) area[i * PAGE + i] = (char)(seed + i);
    check(repaired == PAGES, "%d faults for %d pages", repaired, PAGES);
    for (int i = 0; i < PAGES; i++) check(area[i * PAGE + i] == (char)(seed + i), "what was written behind the barrier");
}

static void must_leap(volatile char *address, bool writes, int code)
{
    leap = true;
    if (sigsetjmp(back, 1) == 0) {
        if (writes) *address = 1;
        else (void)*address;
        check(false, "no fault");
    }
    check(seen.si_signo == SIGSEGV && seen.si_code == code, "si_code is %d", seen.si_code);
    check(seen.si_addr == (void *)address, "si_addr");
    check(((error_code & 2) != 0) == writes, "the error code says %#llx", error_code);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    area = map_anonymous(PAGES * PAGE, PROT_READ | PROT_WRITE);
    char *constant = map_anonymous(PAGE, PROT_READ);
    char *closed = map_anonymous(PAGE, PROT_NONE);
    handle(SIGSEGV, on_fault, 0);
    ready();
    for (unsigned round = 0; working(); round++) {
        barrier(round);
        must_leap(constant, true, SEGV_ACCERR);
        must_leap(closed + 17, false, SEGV_ACCERR);
        must_leap((char *)8, false, SEGV_MAPERR);
        must_leap((char *)8, true, SEGV_MAPERR);
        char *gone = map_anonymous(PAGE, PROT_READ | PROT_WRITE);
        munmap(gone, PAGE);
        must_leap(gone + 5, true, SEGV_MAPERR);
        check(write(-1, closed, 1) == -1 && errno == EBADF, "write to no descriptor");
        /* A bad address given to the kernel is an error and not a signal. */
        int pair[2];
        check(pipe(pair) == 0, "pipe");
        check(write(pair[1], closed, 1) == -1 && errno == EFAULT, "write from unreadable memory");
        write_all(pair[1], "x", 1, "the pipe");
        check(read(pair[0], constant, 1) == -1 && errno == EFAULT, "read into constant memory");
        close(pair[0]);
        close(pair[1]);
        burn();
    }
    return finish("faults handled");
}
