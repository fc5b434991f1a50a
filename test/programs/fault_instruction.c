/* Signals that instructions raise: SIGFPE of integer and of vector arithmetic, SIGILL, SIGTRAP; the handler sees code and
 * address and lets the program go on by changing its registers. */
#include "common.h"

static volatile int runs;
static siginfo_t seen;
static volatile long skip;

static void on_fault(int n, siginfo_t *info, void *context)
{
    (void)n;
    seen = *info;
    ucontext_t *u = context;
    u->uc_mcontext.gregs[REG_RIP] += skip;
    if (info->si_signo == SIGFPE) u->uc_mcontext.fpregs->mxcsr |= 0x1f80; /* mask again */
    runs++;
}

static void expect(int number, int code, const void *address, const char *what)
{
    check(runs == 1, "%s: the handler ran %d times", what, runs);
    check(seen.si_signo == number && seen.si_code == code, "%s: signal %d, code %d", what, seen.si_signo, seen.si_code);
    if (address) check(seen.si_addr == address, "%s: si_addr", what);
    runs = 0;
}

static void integer_division(void)
{
    void *address;
    int result = 41;
    skip = 2; /* idiv %ecx */
    asm volatile("lea 1f(%%rip), %0\n xor %%edx, %%edx\n xor %%ecx, %%ecx\n mov $7, %%eax\n 1: idiv %%ecx\n mov %%eax, %1\n"
                 : "=&r"(address), "=&r"(result) : : "rax", "rcx", "rdx", "cc");
    check(result == 7, "the register after the division is %d", result);
    expect(SIGFPE, FPE_INTDIV, address, "division by zero");
}

static void vector_division(void)
{
    skip = 0; /* repeated with the exception masked */
    uint32_t unmasked = 0x1f80 & ~0x200u, normal = 0x1f80;
    double quotient = 1, zero = 0;
    asm volatile("ldmxcsr %2\n divsd %1, %0\n ldmxcsr %3\n" : "+x"(quotient) : "x"(zero), "m"(unmasked), "m"(normal));
    check(quotient == __builtin_inf(), "the quotient after the handler");
    expect(SIGFPE, FPE_FLTDIV, NULL, "vector division by zero");
}

static void undefined_instruction(void)
{
    void *address;
    skip = 2;
    asm volatile("lea 1f(%%rip), %0\n 1: ud2\n" : "=&r"(address));
    expect(SIGILL, ILL_ILLOPN, address, "ud2");
}

static void breakpoint(void)
{
    skip = 0; /* int3 has been executed when the signal comes */
    asm volatile("int3");
    expect(SIGTRAP, SI_KERNEL, NULL, "int3");
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    handle(SIGFPE, on_fault, 0);
    handle(SIGILL, on_fault, 0);
    handle(SIGTRAP, on_fault, 0);
    ready();
    while (working()) {
        integer_division();
        vector_division();
        undefined_instruction();
        breakpoint();
        burn();
    }
    return finish("faulting instructions handled");
}
