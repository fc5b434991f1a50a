/* io_uring: rings that nobody works on travel as they are, with what waits in them unsent or unread; whoever enters them
 * does so at home. A child of fork shares them. */
#include "common.h"
#include <linux/io_uring.h>

#define ENTRIES 64

struct ring {
    int fd;
    uint8_t *memory;
    struct io_uring_sqe *entries;
    struct io_uring_params at;
    uint64_t pushed, reaped;
};

static uint32_t *word(struct ring *ring, uint32_t offset) { return (uint32_t *)(ring->memory + offset); }

static struct ring make_ring(void)
{
    struct ring ring = { 0 };
    ring.fd = syscall(SYS_io_uring_setup, ENTRIES, &ring.at);
    check(ring.fd >= 0 && ring.at.features & IORING_FEAT_SINGLE_MMAP, "io_uring_setup");
    size_t size = ring.at.cq_off.cqes + ring.at.cq_entries * sizeof(struct io_uring_cqe);
    ring.memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, IORING_OFF_SQ_RING);
    ring.entries = mmap(NULL, ENTRIES * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd,
                        IORING_OFF_SQES);
    check(ring.memory != MAP_FAILED && ring.entries != MAP_FAILED, "mmap of the rings");
    return ring;
}

/* Writes one request into the ring, and does not tell the kernel yet. */
static void push(struct ring *ring)
{
    uint32_t tail = *word(ring, ring->at.sq_off.tail), slot = tail & (ENTRIES - 1);
    check(tail == (uint32_t)ring->pushed, "the tail of requests is %u", tail);
    ring->entries[slot] = (struct io_uring_sqe){ .opcode = IORING_OP_NOP, .user_data = ring->pushed * 7 };
    word(ring, ring->at.sq_off.array)[slot] = slot;
    ring->pushed++;
    __atomic_store_n(word(ring, ring->at.sq_off.tail), tail + 1, __ATOMIC_RELEASE);
}

static void submit(struct ring *ring)
{
    uint32_t count = ring->pushed - *word(ring, ring->at.sq_off.head);
    long sent = syscall(SYS_io_uring_enter, ring->fd, count, count, IORING_ENTER_GETEVENTS, NULL, 0);
    check(sent == count, "io_uring_enter took %ld of %u", sent, count);
}

/* Reads answers until `left` of them are unread. */
static void reap(struct ring *ring, uint64_t left)
{
    struct io_uring_cqe *answers = (struct io_uring_cqe *)(ring->memory + ring->at.cq_off.cqes);
    uint32_t tail = __atomic_load_n(word(ring, ring->at.cq_off.tail), __ATOMIC_ACQUIRE);
    uint32_t mask = ring->at.cq_entries - 1;
    while (tail - (uint32_t)ring->reaped > left) {
        struct io_uring_cqe *one = &answers[ring->reaped & mask];
        check(one->user_data == ring->reaped * 7 && one->res == 0, "answer %lu is %llu with result %d", ring->reaped,
              (unsigned long long)one->user_data, one->res);
        ring->reaped++;
    }
    __atomic_store_n(word(ring, ring->at.cq_off.head), (uint32_t)ring->reaped, __ATOMIC_RELEASE);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    struct ring busy = make_ring(), idle = make_ring();
    push(&idle), push(&idle);
    submit(&idle);
    ready();
    for (bool first = true; working();) {
        double part = 1 - nanoseconds_left() / (run_seconds * SECOND);
        /* Mostly away in between: requests only gather, and answers are left unread. */
        bool between = part > 0.15 && part < 0.8 && !(part > 0.45 && first);
        if (part > 0.45) first = false;
        if (busy.pushed - *word(&busy, busy.at.sq_off.head) < ENTRIES) push(&busy);
        if (!between) {
            submit(&busy);
            reap(&busy, 3);
        }
        burn();
    }
    reap(&idle, 0);
    check(idle.reaped == 2, "the idle ring has %lu answers", idle.reaped);
    submit(&busy);
    reap(&busy, 0);
    check(busy.reaped == busy.pushed, "%lu answers to %lu requests", busy.reaped, busy.pushed);
    pid_t child = fork();
    if (child == 0) {
        push(&busy);
        _exit(0);
    }
    helper_ends(child);
    busy.pushed++;
    submit(&busy);
    reap(&busy, 0);
    check(busy.reaped == busy.pushed, "the child's request was not answered");
    return finish("rings hold what was written");
}
