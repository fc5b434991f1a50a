/* System V shared memory that another process attaches now and then, wherever the program is: it finds what was written
 * before, and from then on each of them sees what the other one writes. */
#include "common.h"
#include <sys/ipc.h>
#include <sys/shm.h>

#define SIZE (3 * PAGE)

struct board { volatile unsigned answer, seen; };

#define PATTERN (SIZE - (long)sizeof(struct board))
#define PATIENCE (20 * SECOND)

static struct board *board_in(char *memory) { return (struct board *)(memory + PATTERN); }

static int segment, asked[2], left[2];

/* Until the program comes home its memory takes the place of what is there: so this says it again and again. */
static void answer(struct board *board, unsigned round)
{
    for (int64_t began = now_ns(); board->seen != round; usleep(1000)) {
        check(now_ns() - began < PATIENCE, "round %u was not seen", round);
        board->answer = round;
    }
}

static void stranger(void)
{
    close(asked[1]);
    for (unsigned round; read(asked[0], &round, sizeof round) == sizeof round;) {
        char *memory = shmat(segment, NULL, 0);
        check(memory != (void *)-1, "shmat");
        pattern_check(memory, PATTERN, round, "what the stranger finds");
        answer(board_in(memory), round);
        check(shmdt(memory) == 0, "shmdt");
        check(write(left[1], &round, sizeof round) == sizeof round, "write");
    }
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    segment = shmget(IPC_PRIVATE, SIZE, IPC_CREAT | 0600);
    check(segment >= 0 && pipe(asked) == 0 && pipe(left) == 0, "shmget");
    pid_t other = helper(stranger);
    close(asked[0]);
    char *memory = shmat(segment, NULL, 0);
    check(memory != (void *)-1, "shmat");
    struct board *board = board_in(memory);
    ready();
    for (unsigned round = 1; working(); round++) {
        pattern_fill(memory, PATTERN, round);
        for (int i = 0; i < 60; i++) burn();
        check(write(asked[1], &round, sizeof round) == sizeof round, "write");
        for (int64_t began = now_ns(); board->answer != round; usleep(1000))
            check(now_ns() - began < PATIENCE, "no answer in round %u", round);
        board->seen = round;
        unsigned gone;
        check(read(left[0], &gone, sizeof gone) == sizeof gone && gone == round, "read");
        pattern_check(memory, PATTERN, round, "the program's own");
    }
    close(asked[1]);
    helper_ends(other);
    check(shmctl(segment, IPC_RMID, NULL) == 0 && shmdt(memory) == 0, "the end");
    return finish("the stranger found what was written");
}
