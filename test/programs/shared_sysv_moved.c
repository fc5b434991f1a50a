/* System V shared memory whose attachments the program moves, protects and marks: they stay attachments. */
#include "common.h"
#include <sys/ipc.h>
#include <sys/shm.h>

#define SIZE (4 * PAGE)

static char *attach(int id, int flags)
{
    char *memory = shmat(id, NULL, flags);
    check(memory != (void *)-1, "shmat");
    return memory;
}

static unsigned long attachments(int id)
{
    struct shmid_ds state;
    check(shmctl(id, IPC_STAT, &state) == 0, "shmctl IPC_STAT");
    return state.shm_nattch;
}

static char *moved(char *memory, char *to)
{
    char *now = mremap(memory, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, to);
    check(now == to, "mremap");
    return now;
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    char *room = map_anonymous(8 * SIZE, PROT_NONE);
    int id = shmget(IPC_PRIVATE, SIZE, IPC_CREAT | 0600);
    check(id >= 0, "shmget");
    char *memory = attach(id, 0), *view = attach(id, SHM_RDONLY);
    check(shmctl(id, IPC_RMID, NULL) == 0, "shmctl IPC_RMID");
    ready();
    for (unsigned round = 0; working(); round++) {
        memory = moved(memory, room + (round % 2) * 2 * SIZE);
        if (round % 3 == 0) view = moved(view, room + (4 + round % 2 * 2) * SIZE);
        pattern_fill(memory, SIZE, round);
        pattern_check(view, SIZE, round, "the other attachment");
        check(madvise(memory, SIZE, round % 2 ? MADV_DONTFORK : MADV_DOFORK) == 0, "madvise");
        check(mprotect(view, SIZE, round % 2 ? PROT_NONE : PROT_READ) == 0, "mprotect");
        for (int i = 0; i < 10; i++) burn();
        pattern_check(memory, SIZE, round, "the segment");
        check(mprotect(view, SIZE, PROT_READ | PROT_WRITE) == -1 && errno == EACCES, "mprotect of what is read only");
        check(mprotect(view, SIZE, PROT_READ) == 0, "mprotect");
        check(attachments(id) == 2, "%lu attachments", attachments(id));
    }
    check(shmdt(view) == 0 && attachments(id) == 1, "shmdt");
    check(shmdt(memory) == 0, "shmdt");
    check(shmctl(id, IPC_STAT, &(struct shmid_ds){ 0 }) == -1 && errno == EINVAL, "a removed segment is still there");
    return finish("attachments were moved");
}
