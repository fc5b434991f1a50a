/* gap BYTES THREADS: how long does this program stand still?
 *
 * Holds BYTES of resident memory that does not compress, and reads CLOCK_REALTIME without end; whenever two readings
 * are further apart than a threshold, it notes when and by how much. The other threads wait and wake now and then.
 * Says "ready", and on SIGTERM prints the notes: "start-ns gap-ns", a line each. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define THRESHOLD_NS 100000 /* above the usual noise of interrupts, below any migration */
#define NOTES 65536

static volatile sig_atomic_t stop;
static struct { int64_t start, gap; } notes[NOTES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;

static void on_term(int signal) { (void)signal; stop = 1; }

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void *waiter(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&lock);
    while (!stop) {
        int64_t until = now() + 50000000;
        struct timespec t = { until / 1000000000, until % 1000000000 };
        pthread_cond_timedwait(&never, &lock, &t);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

static void fill(uint64_t *words, size_t count)
{
    uint64_t x = 88172645463325252ull;
    for (size_t i = 0; i < count; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        words[i] = x;
    }
}

int main(int argc, char **argv)
{
    if (argc != 3) return 2;
    size_t bytes = strtoul(argv[1], NULL, 10);
    int threads = atoi(argv[2]);
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return 1;
    fill(memory, bytes / sizeof(uint64_t));
    memset(notes, 0, 4096);
    signal(SIGTERM, on_term);
    for (int i = 1; i < threads; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, waiter, NULL) != 0) return 1;
    }
    puts("ready");
    fflush(stdout);
    size_t count = 0;
    for (int64_t last = now(); !stop;) {
        int64_t time = now();
        if (time - last > THRESHOLD_NS && count < NOTES) {
            notes[count].start = last;
            notes[count++].gap = time - last;
        }
        last = time;
    }
    for (size_t i = 0; i < count; i++) printf("%lld %lld\n", (long long)notes[i].start, (long long)notes[i].gap);
    fflush(stdout);
    _exit(0);
}
