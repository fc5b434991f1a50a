/* System V shared memory: segments that are made, attached, shared with a child and removed while attached. Whoever has one
 * attached is at home; in between the process may be away. */
#include "common.h"
#include <sys/ipc.h>
#include <sys/shm.h>

static long attached(int id)
{
    struct shmid_ds state;
    check(shmctl(id, IPC_STAT, &state) == 0, "shmctl IPC_STAT");
    check(state.shm_segsz == 3 * PAGE && state.shm_cpid == getpid(), "size %zu", state.shm_segsz);
    return state.shm_nattch;
}

static void round_of(unsigned seed)
{
    int id = shmget(IPC_PRIVATE, 3 * PAGE, IPC_CREAT | 0600);
    check(id >= 0, "shmget");
    char *memory = shmat(id, NULL, 0);
    check(memory != (void *)-1, "shmat");
    char *again = shmat(id, NULL, SHM_RDONLY);
    check(again != (void *)-1 && again != memory && attached(id) == 2, "the second shmat");
    pattern_fill(memory, 3 * PAGE, seed);
    pattern_check(again, 3 * PAGE, seed, "the other attachment");
    check(shmdt(again) == 0 && attached(id) == 1, "shmdt");
    int go[2];
    check(pipe(go) == 0, "pipe");
    pid_t child = fork();
    check(child >= 0, "fork");
    if (child == 0) {
        char byte;
        close(go[1]);
        check(read(go[0], &byte, 1) == 1, "read");
        pattern_check(memory, 3 * PAGE, seed, "the parent's pattern");
        pattern_fill(memory, 3 * PAGE, seed + 1);
        _exit(0);
    }
    check(attached(id) == 2, "%ld attachments with a child", attached(id));
    check(shmctl(id, IPC_RMID, NULL) == 0, "shmctl IPC_RMID"); /* it goes when the last one detaches */
    check(write(go[1], "g", 1) == 1, "write");
    int status;
    check(waitpid(child, &status, 0) == child && status == 0, "the child ended with %d", status);
    pattern_check(memory, 3 * PAGE, seed + 1, "the child's pattern");
    check(shmdt(memory) == 0, "shmdt");
    check(shmctl(id, IPC_STAT, &(struct shmid_ds){ 0 }) == -1 && errno == EINVAL, "a removed segment is still there");
    check(shmat(id, NULL, 0) == (void *)-1 && errno == EINVAL, "a removed segment was attached");
    check(shmdt(memory) == -1 && errno == EINVAL, "shmdt of nothing");
    close(go[0]);
    close(go[1]);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    ready();
    for (unsigned round = 0; working(); round++) {
        round_of(round);
        for (int i = 0; i < 20; i++) burn();
    }
    return finish("segments were shared and removed");
}
