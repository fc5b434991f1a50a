/* The alternate signal stack: handlers run there, sigaltstack tells so, each thread has its own, and the overflow of
 * a thread's stack is caught on it. */
#include "common.h"
#include <setjmp.h>

#define STACK_SIZE (64 * KB)

static __thread char *stack;
static __thread volatile int runs;
static __thread sigjmp_buf back;

static bool on_stack(const void *address) { return (const char *)address >= stack && (const char *)address < stack + STACK_SIZE; }

static void on_signal(int n, siginfo_t *info, void *context)
{
    (void)n, (void)info;
    char here;
    stack_t now;
    check(on_stack(&here), "the handler does not run on the alternate stack");
    check(sigaltstack(NULL, &now) == 0 && now.ss_flags == SS_ONSTACK && now.ss_sp == stack, "sigaltstack inside the handler");
    check(sigaltstack(&now, NULL) == -1 && errno == EPERM, "the stack in use could be changed");
    check(!on_stack((void *)((ucontext_t *)context)->uc_mcontext.gregs[REG_RSP]), "the interrupted stack");
    burn();
    runs++;
}

static void on_overflow(int n, siginfo_t *info, void *context)
{
    (void)n, (void)context;
    char here;
    check(on_stack(&here), "the overflow is not handled on the alternate stack");
    check(info->si_code == SEGV_ACCERR, "si_code of the overflow is %d", info->si_code);
    siglongjmp(back, 1);
}

static void set_stack(void)
{
    stack = map_anonymous(STACK_SIZE, PROT_READ | PROT_WRITE);
    check(sigaltstack(&(stack_t){ .ss_sp = stack, .ss_size = STACK_SIZE }, NULL) == 0, "sigaltstack");
}

static void verify(void)
{
    stack_t now;
    check(sigaltstack(NULL, &now) == 0 && now.ss_sp == stack && now.ss_size == STACK_SIZE && now.ss_flags == 0, "sigaltstack outside");
    int before = runs;
    raise(SIGUSR1);
    check(runs == before + 1, "the handler ran %d times", runs - before);
}

__attribute__((noinline)) static int dig(int depth)
{
    volatile char frame[1024];
    memset((char *)frame, depth, sizeof frame);
    return depth < 100000 ? dig(depth + 1) + frame[depth % 1024] : 0;
}

static void *overflow(void *argument)
{
    set_stack();
    verify();
    if (sigsetjmp(back, 1) == 0) dig(0);
    verify();
    munmap(stack, STACK_SIZE);
    return argument;
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    handle(SIGUSR1, on_signal, SA_ONSTACK);
    handle(SIGSEGV, on_overflow, SA_ONSTACK);
    set_stack();
    ready();
    while (working()) {
        verify();
        pthread_t thread;
        pthread_attr_t attributes;
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, 256 * KB);
        check(pthread_create(&thread, &attributes, overflow, NULL) == 0, "pthread_create");
        pthread_attr_destroy(&attributes);
        thread_result(thread);
    }
    return finish("alternate stacks in use");
}
