/* Memory shared by a family: processes that are forked meanwhile take turns in it, and futexes in it wake the others. */
#include "common.h"
#include <linux/futex.h>
#include <semaphore.h>
#include <sys/syscall.h>

#define WORKERS 3

struct board {
    sem_t turn[WORKERS];
    sem_t done;
    long count;
    long by[WORKERS];
    bool over;
};

static void work(struct board *board, int me)
{
    for (;;) {
        check(sem_wait(&board->turn[me]) == 0, "sem_wait");
        if (board->over) _exit(0);
        board->count++;
        board->by[me]++;
        check(sem_post(&board->done) == 0, "sem_post");
    }
}

/* A family for some rounds. */
static void family(struct board *board, unsigned seed, void *file)
{
    memset(board, 0, sizeof *board);
    for (int i = 0; i < WORKERS; i++) check(sem_init(&board->turn[i], 1, 0) == 0, "sem_init");
    check(sem_init(&board->done, 1, 0) == 0, "sem_init");
    pid_t children[WORKERS];
    for (int i = 0; i < WORKERS; i++) {
        children[i] = fork();
        check(children[i] >= 0, "fork");
        if (children[i] == 0) work(board, i);
    }
    long rounds = 240;
    for (long round = 0; round < rounds; round++) {
        pattern_fill(file, PAGE, seed + (unsigned)round);
        check(sem_post(&board->turn[round % WORKERS]) == 0, "sem_post");
        check(sem_wait(&board->done) == 0, "sem_wait");
        check(board->count == round + 1, "count is %ld in round %ld", board->count, round);
        if (round % 4 == 0) burn();
    }
    board->over = true;
    for (int i = 0; i < WORKERS; i++) check(sem_post(&board->turn[i]) == 0, "sem_post");
    for (int i = 0; i < WORKERS; i++) {
        int status;
        check(waitpid(children[i], &status, 0) == children[i] && status == 0, "a worker ended with %d", status);
        check(board->by[i] == (rounds + WORKERS - 1 - i) / WORKERS, "worker %d had %ld turns", i, board->by[i]);
    }
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    ready();
    int fd = open("board", O_RDWR | O_CREAT | O_EXCL, 0600);
    check(fd >= 0 && ftruncate(fd, 2 * PAGE) == 0, "make a file");
    void *file = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    struct board *board = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    check(file != MAP_FAILED && board != MAP_FAILED, "mmap");
    for (unsigned round = 0; working(); round++) {
        family(board, round, file);
        struct board *other = (void *)((char *)file + PAGE);
        family(other, round + 1, file);
    }
    unlink("board");
    return finish("the family took its turns");
}
