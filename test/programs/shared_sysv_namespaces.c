/* System V shared memory of two IPC namespaces: two segments have the same id, and are not the same memory. */
#include "common.h"
#include <sched.h>
#include <sys/ipc.h>
#include <sys/shm.h>

#define SIZE (3 * PAGE)

/* The first segment of a new namespace. */
static char *first_segment(void)
{
    check(unshare(CLONE_NEWIPC) == 0, "unshare");
    int id = shmget(IPC_PRIVATE, SIZE, IPC_CREAT | 0600);
    check(id == 0, "the first segment has id %d", id);
    char *memory = shmat(id, NULL, 0);
    check(memory != (void *)-1, "shmat");
    check(shmctl(id, IPC_RMID, NULL) == 0, "shmctl IPC_RMID");
    return memory;
}

static void use(char *memory, unsigned seed)
{
    pattern_fill(memory, SIZE, seed);
    for (int i = 0; i < 10; i++) burn();
    pattern_check(memory, SIZE, seed, "the segment");
}

static int made[2];

static void other_namespace(void)
{
    char *memory = first_segment();
    check(write(made[1], "m", 1) == 1, "write");
    for (unsigned round = 1;; round += 2) use(memory, round);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    check(pipe(made) == 0, "pipe");
    char *memory = first_segment();
    pid_t other = fork();
    check(other >= 0, "fork");
    if (other == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        check(shmdt(memory) == 0, "shmdt");
        usleep(20000); /* segments of the same moment may not be told apart */
        other_namespace();
    }
    char byte;
    check(read(made[0], &byte, 1) == 1, "read");
    ready();
    for (unsigned round = 0; working(); round += 2) use(memory, round);
    int status;
    check(waitpid(other, &status, WNOHANG) == 0, "the other one ended with %#x", status);
    check(kill(other, SIGKILL) == 0 && waitpid(other, &status, 0) == other, "kill");
    return finish("the segments were two");
}
