/* Critical sections of restartable sequences: whatever interrupts a thread in one takes it to the section's abort handler.
 * The kernel takes the section's descriptor out of the thread's area when it finds the thread elsewhere, so at the end of a
 * section that was not interrupted the descriptor is still there. */
#include "common.h"
#include <sys/rseq.h>

static volatile bool stop;

static struct rseq *area(void) { return (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset); }

/* Counts down in a critical section. Returns 1 at its end, 0 if it was aborted; *found: the descriptor at the end. */
static int section(uint64_t rounds, uint64_t *found, uint64_t *descriptor)
{
    uint64_t result, seen = 0, own = 0;
    asm volatile(
        ".pushsection __rseq_cs, \"aw\"\n"
        ".balign 32\n"
        "7: .long 0, 0\n"
        ".quad 1f, 2f - 1f, 4f\n"
        ".popsection\n"
        "lea 7b(%%rip), %[own]\n"
        "mov %[own], %[slot]\n"
        "1: dec %[rounds]\n"
        "jnz 1b\n"
        "mov %[slot], %[seen]\n"
        "mov $1, %[result]\n"
        "2: jmp 5f\n"
        ".byte 0x0f, 0xb9, 0x3d\n" /* ud1 with the signature, as before every abort handler */
        ".long %c[signature]\n"
        "4: xor %k[result], %k[result]\n"
        "5:\n"
        : [result] "=&r"(result), [seen] "+&r"(seen), [own] "+&r"(own), [rounds] "+&r"(rounds),
          [slot] "+m"(area()->rseq_cs)
        : [signature] "i"(RSEQ_SIG)
        : "memory", "cc");
    *found = seen;
    *descriptor = own;
    return (int)result;
}

static void sections(const char *who)
{
    uint64_t found, descriptor;
    for (int i = 0; i < 200; i++)
        if (section(100000, &found, &descriptor))
            check(found == descriptor, "%s: a critical section went on that had been interrupted", who);
}

static void *other(void *argument)
{
    while (!stop) sections("other thread");
    return argument;
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    check(__rseq_size > 0, "the C library did not register rseq");
    pthread_t thread;
    thread_start(&thread, other, NULL);
    ready();
    while (working()) sections("main thread");
    stop = true;
    thread_result(thread);
    return finish("every interrupted critical section was aborted");
}
