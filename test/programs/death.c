/* Dies of a signal, as argument 2 says. "waits" ones die of a signal that the runner sends; they end with status 1 if it
 * does not come. A core dump is ruled out, so that no file is left. */
#include "common.h"
#include <sys/resource.h>

static bool is(const char *how, const char *name) { return strcmp(how, name) == 0; }

static volatile int zero, result;

/* Neither ignoring nor blocking helps against a breakpoint instruction. */
static void trap(const char *how)
{
    sigset_t set = set_of(SIGTRAP, 0);
    if (is(how, "trap-ignored")) signal(SIGTRAP, SIG_IGN);
    if (is(how, "trap-blocked")) sigprocmask(SIG_BLOCK, &set, NULL);
    if (is(how, "trap-raised")) raise(SIGTRAP);
    else asm volatile("int3");
}

static void die(const char *how)
{
    volatile char *nowhere = (char *)16;
    int ends[2];
    if (is(how, "segv")) *nowhere = 1;
    else if (is(how, "abort")) abort();
    else if (is(how, "kill")) kill(getpid(), SIGKILL);
    else if (is(how, "term")) kill(getpid(), SIGTERM);
    else if (is(how, "fpe")) result = 1000 / zero;
    else if (is(how, "ill")) __builtin_trap();
    else if (strncmp(how, "trap", 4) == 0) trap(how);
    else if (is(how, "alarm")) {
        alarm(1);
        for (int64_t began = now_ns(); now_ns() - began < 20 * SECOND;) burn();
    } else if (is(how, "pipe")) {
        check(pipe(ends) == 0 && close(ends[0]) == 0, "pipe");
        check(write(ends[1], "x", 1) == 1, "write");
    } else if (is(how, "bus")) {
        int fd = open("empty", O_RDWR | O_CREAT | O_TRUNC, 0600);
        char *memory = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
        unlink("empty");
        result = *(volatile char *)memory;
    } else if (is(how, "realtime")) {
        sigqueue(getpid(), SIGRTMIN + 3, (union sigval){ 0 });
    } else if (is(how, "rethrow")) {
        *nowhere = 1; /* the handler takes itself away and returns, so that the same fault comes again and kills */
    } else if (is(how, "waits-computing")) {
        for (int64_t began = now_ns(); now_ns() - began < 20 * SECOND;) burn();
    } else if (is(how, "waits-sleeping")) {
        sleep(20);
    } else fail(__FILE_NAME__, __LINE__, "argument 2", "unknown way %s", how);
    fail(__FILE_NAME__, __LINE__, "death", "still alive after %s", how);
}

static void on_fault(int n) { (void)n; signal(SIGSEGV, SIG_DFL); }

int main(int argc, char **argv)
{
    begin(argc, argv);
    check(argc > 2, "needs argument 2: the way to die");
    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
    if (is(argv[2], "rethrow")) signal(SIGSEGV, on_fault);
    ready();
    while (working() && strncmp(argv[2], "waits", 5) != 0) burn();
    if (strncmp(argv[2], "waits", 5) != 0) say("about to die\n");
    die(argv[2]);
}
