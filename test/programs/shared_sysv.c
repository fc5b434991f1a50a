/* System V shared memory: one segment that three processes have attached all the time, one of them to read it only, which is
 * removed meanwhile; and others that are made, attached, passed on, detached and removed in each round. */
#include "common.h"
#include <semaphore.h>
#include <sys/ipc.h>
#include <sys/shm.h>

#define SIZE (3 * PAGE)

/* At the end of the segment; before it there is the pattern of the round. */
struct board {
    sem_t turn, done;
    unsigned round;
    int passed; /* a segment for the worker to look at */
    bool over;
};

#define PATTERN (SIZE - (long)sizeof(struct board))

static struct board *board_in(char *memory) { return (struct board *)(memory + PATTERN); }

static char *attach(int id, int flags)
{
    char *memory = shmat(id, NULL, flags);
    check(memory != (void *)-1, "shmat of segment %d", id);
    return memory;
}

static void detach(const char *memory) { check(shmdt(memory) == 0, "shmdt"); }

static struct shmid_ds state_of(int id)
{
    struct shmid_ds state;
    check(shmctl(id, IPC_STAT, &state) == 0, "shmctl IPC_STAT");
    check(state.shm_segsz == (size_t)SIZE && state.shm_cpid == getpid(), "size %zu", state.shm_segsz);
    return state;
}

static void check_attached(int id, unsigned long wanted)
{
    unsigned long count = state_of(id).shm_nattch;
    check(count == wanted, "%lu attachments instead of %lu", count, wanted);
}

/* Attaches by the key, in a session of its own. */
static void work(int key)
{
    check(setsid() == getpid(), "setsid");
    char *memory = attach(shmget(key, SIZE, 0600), 0);
    struct board *board = board_in(memory);
    check(sem_post(&board->done) == 0, "sem_post");
    for (;;) {
        check(sem_wait(&board->turn) == 0, "sem_wait");
        if (board->over) return;
        pattern_check(memory, PATTERN, board->round, "the program's pattern");
        char *passed = attach(board->passed, SHM_RDONLY);
        pattern_check(passed, SIZE, board->round + 7, "what was passed on");
        detach(passed);
        pattern_fill(memory, PATTERN, board->round + 1);
        check(sem_post(&board->done) == 0, "sem_post");
    }
}

/* Reads only; what it is to find comes through a pipe, and so does its answer. */
static void look(int id, int asked, int answer)
{
    char *memory = attach(id, SHM_RDONLY);
    check(mprotect(memory, PAGE, PROT_READ | PROT_WRITE) == -1 && errno == EACCES, "mprotect of what is read only");
    for (unsigned seed = 0;;) {
        check(write(answer, &seed, sizeof seed) == sizeof seed, "write");
        if (read(asked, &seed, sizeof seed) != sizeof seed) return;
        pattern_check(memory, PATTERN, seed, "what the reader sees");
        check(mprotect(memory, PAGE, PROT_READ | PROT_WRITE) == -1 && errno == EACCES, "mprotect of what is read only");
    }
}

/* A segment that is made, attached twice, shared with a child and removed while both have it. */
static void inherited(unsigned seed)
{
    int id = shmget(IPC_PRIVATE, SIZE, IPC_CREAT | 0600);
    check(id >= 0, "shmget");
    char *memory = attach(id, 0);
    zero_check(memory, SIZE, "a new segment");
    char *again = attach(id, SHM_RDONLY);
    check(again != memory, "two attachments in one place");
    check_attached(id, 2);
    pattern_fill(memory, SIZE, seed);
    pattern_check(again, SIZE, seed, "the other attachment");
    detach(again);
    check_attached(id, 1);
    int go[2];
    check(pipe(go) == 0, "pipe");
    pid_t child = fork();
    check(child >= 0, "fork");
    if (child == 0) {
        char byte;
        close(go[1]);
        check(read(go[0], &byte, 1) == 1, "read");
        pattern_check(memory, SIZE, seed, "the parent's pattern");
        pattern_fill(memory, SIZE, seed + 1);
        _exit(0);
    }
    check_attached(id, 2);
    check(shmctl(id, IPC_RMID, NULL) == 0, "shmctl IPC_RMID"); /* it goes when the last one detaches */
    check((state_of(id).shm_perm.mode & SHM_DEST) != 0, "a segment that is to go is not marked");
    check(write(go[1], "g", 1) == 1, "write");
    int status;
    check(waitpid(child, &status, 0) == child && status == 0, "the child ended with %d", status);
    pattern_check(memory, SIZE, seed + 1, "the child's pattern");
    detach(memory);
    check(shmctl(id, IPC_STAT, &(struct shmid_ds){ 0 }) == -1 && errno == EINVAL, "a removed segment is still there");
    check(shmat(id, NULL, 0) == (void *)-1 && errno == EINVAL, "a removed segment was attached");
    check(shmdt(memory) == -1 && errno == EINVAL, "shmdt of nothing");
    close(go[0]);
    close(go[1]);
}

/* A segment that nobody has attached between its writer and its reader. */
static int passed_on(unsigned seed)
{
    int id = shmget(IPC_PRIVATE, SIZE, IPC_CREAT | 0600);
    check(id >= 0, "shmget");
    char *memory = attach(id, 0);
    pattern_fill(memory, SIZE, seed);
    detach(memory);
    check_attached(id, 0);
    memory = attach(id, 0);
    pattern_check(memory, SIZE, seed, "what was detached");
    check(munmap(memory, PAGE) == 0, "munmap of a part");
    detach(memory);
    check_attached(id, 0);
    return id;
}

static void remove_detached(int id)
{
    check_attached(id, 0);
    check(shmctl(id, IPC_RMID, NULL) == 0, "shmctl IPC_RMID");
}

static void ends_well(pid_t child)
{
    int status;
    check(waitpid(child, &status, 0) == child && status == 0, "a child ended with %d", status);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    int key = 0x4d000000 | getpid();
    int id;
    while ((id = shmget(key, SIZE, IPC_CREAT | IPC_EXCL | 0600)) < 0) check(errno == EEXIST && ++key, "shmget");
    char *memory = attach(id, 0);
    struct board *board = board_in(memory);
    check(sem_init(&board->turn, 1, 0) == 0 && sem_init(&board->done, 1, 0) == 0, "sem_init");
    int asked[2], answer[2];
    check(pipe(asked) == 0 && pipe(answer) == 0, "pipe");
    pid_t worker = fork();
    check(worker >= 0, "fork");
    if (worker == 0) {
        detach(memory);
        close(asked[1]);
        work(key);
        _exit(0);
    }
    pid_t reader = fork();
    check(reader >= 0, "fork");
    if (reader == 0) {
        detach(memory);
        close(asked[1]);
        look(id, asked[0], answer[1]);
        _exit(0);
    }
    close(asked[0]);
    check(sem_wait(&board->done) == 0, "sem_wait");
    unsigned answered;
    check(read(answer[0], &answered, sizeof answered) == sizeof answered, "read");
    check(shmctl(id, IPC_RMID, NULL) == 0, "shmctl IPC_RMID");
    ready();
    for (unsigned round = 0; working(); round += 2) {
        board->round = round;
        board->passed = passed_on(round + 7);
        pattern_fill(memory, PATTERN, round);
        check_attached(id, 3);
        check(sem_post(&board->turn) == 0 && sem_wait(&board->done) == 0, "the worker's turn");
        pattern_check(memory, PATTERN, round + 1, "the worker's pattern");
        unsigned seed = round + 1;
        check(write(asked[1], &seed, sizeof seed) == sizeof seed, "write");
        check(read(answer[0], &answered, sizeof answered) == sizeof answered && answered == seed, "read");
        remove_detached(board->passed);
        inherited(round);
        for (int i = 0; i < 20; i++) burn();
    }
    board->over = true;
    check(sem_post(&board->turn) == 0 && close(asked[1]) == 0, "the end");
    ends_well(worker);
    ends_well(reader);
    check_attached(id, 1);
    detach(memory);
    check(shmctl(id, IPC_STAT, &(struct shmid_ds){ 0 }) == -1 && errno == EINVAL, "a removed segment is still there");
    return finish("segments were shared, passed on and removed");
}
