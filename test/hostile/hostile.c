/* A guest that means harm. Argument 1 names the attack, argument 2 seconds. It prints "ready", waits until it has moved
 * (its stub is there, or a second has passed at home), attacks, and prints "REACHED ..." for whatever it should not have. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static unsigned char *stub;
static size_t stub_size;
static double seconds;
static uint64_t seed = 88172645463325252u;

static uint64_t chance(void)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return seed;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static sigjmp_buf back;
static void jump_back(int signal) { siglongjmp(back, signal); }

static void on_all_ends(void)
{
    static const int caught[] = { SIGTRAP, SIGALRM, SIGSEGV, SIGBUS, SIGILL, SIGSYS, SIGFPE };
    for (size_t i = 0; i < sizeof caught / sizeof *caught; i++)
        sigaction(caught[i], &(struct sigaction){ .sa_handler = jump_back, .sa_flags = SA_NODEFER }, NULL);
}

static void by_default(void)
{
    static const int caught[] = { SIGTRAP, SIGALRM, SIGSEGV, SIGBUS, SIGILL, SIGSYS, SIGFPE };
    for (size_t i = 0; i < sizeof caught / sizeof *caught; i++) signal(caught[i], SIG_DFL);
}

/* The batch runner's `syscall`, which stores rax at rbx + 56, goes to the next entry and stops at an end mark. */
static unsigned char *runner_in(unsigned char *page)
{
    static const unsigned char wanted[] = { 0x0f, 0x05, 0x48, 0x89, 0x43, 0x38 };
    for (unsigned char *at = page; at < page + 4096 - sizeof wanted; at++)
        if (memcmp(at, wanted, sizeof wanted) == 0) return at;
    return NULL;
}

/* The engine's pages: home chooses the first free place below 1 GB. To ask /proc would bring us home. */
static int find_stub(void)
{
    stub_size = 0x34000;
    on_all_ends();
    for (uintptr_t at = 0x100000; at < 0x10000000 && !stub; at += 0x40000)
        if (sigsetjmp(back, 1) == 0 && runner_in((unsigned char *)at)) stub = (unsigned char *)at;
    by_default();
    return stub != NULL;
}

/* ---- calls made from the stub's code ---- */

static volatile long table[16];

static long from_stub(unsigned char *instruction, long number, const long args[6])
{
    memset((void *)table, 0, sizeof table);
    table[7] = -ENOSYS;
    table[8] = -1; /* the end */
    struct itimerval limit = { .it_value.tv_usec = 30000 };
    if (sigsetjmp(back, 1) == 0) {
        setitimer(ITIMER_REAL, &limit, NULL);
        register long r10 __asm__("r10") = args[3];
        register long r8 __asm__("r8") = args[4];
        register long r9 __asm__("r9") = args[5];
        __asm__ volatile("mov %[table], %%rbx\n\tjmp *%[at]" ::[table] "r"(table), [at] "r"(instruction), "a"(number),
                         "D"(args[0]), "S"(args[1]), "d"(args[2]), "r"(r10), "r"(r8), "r"(r9)
                         : "rcx", "r11", "rbx", "memory");
    }
    limit.it_value.tv_usec = 0;
    setitimer(ITIMER_REAL, &limit, NULL);
    return table[7];
}

/* What only the hosting node has. */
static void try_to_reach(unsigned char *at)
{
    char text[64] = "";
    long fd = from_stub(at, SYS_open, (long[6]){ (long)"/srv/of-this-host-only", O_RDONLY });
    if (fd >= 0) {
        from_stub(at, SYS_read, (long[6]){ fd, (long)text, sizeof text - 1 });
        printf("REACHED a file: %s\n", text);
    }
    struct utsname name;
    memset(&name, 0, sizeof name);
    if (from_stub(at, SYS_uname, (long[6]){ (long)&name }) >= 0 && strncmp(name.nodename, "home", 4) != 0)
        printf("REACHED another host's name: %s\n", name.nodename);
    static const long never[] = { SYS_unshare, SYS_mount, SYS_bpf, SYS_perf_event_open, SYS_io_uring_setup, SYS_ptrace, SYS_setns };
    for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
        long result = from_stub(at, never[i], (long[6]){ 0x10000000 });
        if (result >= 0) printf("REACHED call %ld: %ld\n", never[i], result);
    }
}

static void calls(void)
{
    if (!stub) return;
    unsigned char *at = runner_in(stub);
    on_all_ends();
    try_to_reach(at);
    static char path[] = "/etc/hostname", buffer[4096];
    const double until = now() + seconds;
    while (now() < until) {
        pid_t child = fork();
        if (child < 0) continue;
        if (child == 0) {
            on_all_ends();
            for (int i = 0; i < 40; i++) {
                long number = (long)(chance() % 470), args[6];
                if (number == SYS_kill || number == SYS_tkill || number == SYS_tgkill || number == SYS_pidfd_send_signal) continue;
                for (int k = 0; k < 6; k++) {
                    long values[] = { 0, 1, -1, (long)path, (long)buffer, (long)(chance() & 0xffff), (long)chance(), (long)stub };
                    args[k] = values[chance() % 8];
                }
                if (from_stub(at, number, args) == 0 && (number == SYS_fork || number == SYS_vfork || number == SYS_clone || number == SYS_clone3)) _exit(0);
            }
            _exit(0);
        }
        for (double end = now() + 1; waitpid(child, NULL, WNOHANG) == 0; usleep(1000))
            if (now() > end) kill(child, SIGKILL), end += 100;
        (void)chance(); /* the next child does something else */
    }
}

/* ---- the stub's memory ---- */

static void busy(void) { for (volatile int i = 0; i < 100000; i++) {} }

static void *ends_at_once(void *unused) { return unused; }

/* All that makes the engine work on this process. */
static void be_busy(void)
{
    const double until = now() + seconds;
    while (now() < until) {
        busy();
        (void)!getppid();
        char *memory = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory != MAP_FAILED) memory[4096] = 1, munmap(memory, 1 << 20);
        pthread_t thread;
        if (pthread_create(&thread, NULL, ends_at_once, NULL) == 0) pthread_join(thread, NULL);
        int fd = open("/etc/hostname", O_RDONLY);
        char text[32];
        if (fd >= 0) (void)!read(fd, text, sizeof text), close(fd);
        pid_t child = fork();
        if (child == 0) _exit(0);
        if (child > 0) waitpid(child, NULL, 0);
        raise(SIGUSR1);
    }
}

static void *scribbler(void *unused)
{
    for (const double until = now() + seconds; now() < until;)
        for (size_t i = 0; i < 64; i++) *(volatile uint64_t *)(stub + (chance() % stub_size & ~7ul)) = chance();
    return unused;
}

static void scribble(void)
{
    if (!stub || mprotect(stub, stub_size, PROT_READ | PROT_WRITE | PROT_EXEC) != 0) return;
    pthread_t thread;
    pthread_create(&thread, NULL, scribbler, NULL);
    be_busy();
}

static void unmap(void)
{
    if (stub) munmap(stub, stub_size);
    be_busy();
}

static void map_over(void)
{
    if (stub) mmap(stub, stub_size, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    be_busy();
}

/* ---- other conventions, floods, races ---- */

static void old_calls(void)
{
    const double until = now() + seconds;
    on_all_ends();
    while (now() < until)
        for (int number = 0; number < 460 && now() < until; number++) {
            if (number == 1 || number == 252 || number == 37 || number == 238 || number == 270) continue; /* exits and kills */
            if (sigsetjmp(back, 1)) continue;
            struct itimerval limit = { .it_value.tv_usec = 20000 };
            setitimer(ITIMER_REAL, &limit, NULL);
            int result;
            __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(0), "c"(0), "d"(0), "S"(0), "D"(0) : "memory", "cc", "r8", "r9", "r10", "r11");
            if (result == 0 && (number == 2 || number == 120 || number == 190)) _exit(0);
        }
}

static void *asker(void *unused)
{
    for (const double until = now() + seconds; now() < until;) {
        for (int i = 0; i < 100; i++) (void)!getppid();
        raise(SIGUSR1);
    }
    return unused;
}

static void flood(void)
{
    pthread_t threads[64];
    int made = 0;
    while (made < 64 && pthread_create(&threads[made], NULL, asker, NULL) == 0) made++;
    for (int i = 0; i < made; i++) pthread_join(threads[i], NULL);
}

static char raced[64];
static struct iovec vector[2];
static char text_a[] = "aaaaaaaa", text_b[] = "bbbbbbbb";

static void *changer(void *unused)
{
    for (const double until = now() + seconds; now() < until;) {
        memcpy(raced, "/etc/hostname", 14);
        memcpy(raced, "/etc/shadow\0\0", 14);
        vector[0] = (struct iovec){ text_a, 8 };
        vector[0] = (struct iovec){ (void *)0xdead0000, 1ul << 62 };
        vector[1] = (struct iovec){ text_b, 8 };
        vector[1] = (struct iovec){ stub, 8 };
    }
    return unused;
}

static void race(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, changer, NULL);
    int out = open("/dev/null", O_WRONLY);
    for (const double until = now() + seconds; now() < until;) {
        int fd = open(raced, O_RDONLY);
        char text[16] = "";
        if (fd >= 0) {
            (void)!read(fd, text, 15), close(fd);
            if (strncmp(text, "root:", 5) == 0) printf("REACHED what only root may read\n");
        }
        struct stat about;
        (void)!stat(raced, &about);
        (void)!writev(out, vector, 2);
        (void)!readv(out, vector, 2);
    }
}

int main(int argc, char **argv)
{
    static const struct { const char *name; void (*run)(void); } attacks[] = {
        { "calls", calls }, { "scribble", scribble }, { "unmap", unmap }, { "map-over", map_over },
        { "old-calls", old_calls }, { "flood", flood }, { "race", race },
    };
    setvbuf(stdout, NULL, _IONBF, 0);
    signal(SIGUSR1, SIG_IGN);
    if (argc < 3) return 2;
    seconds = atof(argv[2]);
    seed += (uint64_t)getpid();
    printf("ready\n");
    for (const double until = now() + 30; !find_stub() && now() < until;) busy();
    printf("stub %s\n", stub ? "found" : "absent");
    for (size_t i = 0; i < sizeof attacks / sizeof *attacks; i++)
        if (strcmp(argv[1], attacks[i].name) == 0) attacks[i].run();
    printf("over\n");
    return 0;
}
