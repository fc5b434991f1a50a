/* System V semaphores: operations on one and several, all commands of semctl, waiting for another process with and
 * without a time-out, and operations that are undone when their process ends. */
#include "common.h"
#include <sys/ipc.h>
#include <sys/sem.h>

#define COUNT 7

union semun {
    int val;
    struct semid_ds *buf;
    unsigned short *array;
    struct seminfo *info;
};

static int set, ping;

static void operate(int id, int number, int change, int flags, const char *what)
{
    struct sembuf operation = { number, change, flags };
    int result;
    do result = semop(id, &operation, 1); while (result < 0 && errno == EINTR);
    check(result == 0, "semop: %s", what);
}

/* Answers each up of 0 by an up of 1; the first time it also raises 2, to be undone when it ends. */
static void partner(void)
{
    operate(ping, 2, 5, SEM_UNDO, "raise for the time being");
    for (;;) {
        operate(ping, 0, -1, 0, "wait in the helper");
        operate(ping, 1, 1, 0, "answer");
    }
}

static void whole(unsigned seed)
{
    unsigned short out[COUNT + 1], in[COUNT + 1];
    for (int i = 0; i <= COUNT; i++) out[i] = (seed + i * 100) % 30000, in[i] = 0xaaaa;
    check(semctl(set, 0, SETALL, (union semun){ .array = out }) == 0, "SETALL");
    check(semctl(set, 0, GETALL, (union semun){ .array = in }) == 0, "GETALL");
    check(memcmp(in, out, COUNT * sizeof *in) == 0 && in[COUNT] == 0xaaaa, "GETALL gave other values");
    for (int i = 0; i < COUNT; i++) check(semctl(set, i, GETVAL) == out[i], "GETVAL of %d", i);
    check(semctl(set, 3, SETVAL, (union semun){ .val = 5 }) == 0 && semctl(set, 3, GETVAL) == 5, "SETVAL");
    check(semctl(set, 3, GETPID) == getpid(), "GETPID");
    struct semid_ds state;
    check(semctl(set, 0, IPC_STAT, (union semun){ .buf = &state }) == 0 && state.sem_nsems == COUNT, "IPC_STAT");
    check(state.sem_perm.uid == geteuid(), "uid %d", state.sem_perm.uid);
    state.sem_perm.mode = 0600 | (seed % 2 ? 0040 : 0);
    check(semctl(set, 0, IPC_SET, (union semun){ .buf = &state }) == 0, "IPC_SET");
    check(semctl(set, 0, IPC_STAT, (union semun){ .buf = &state }) == 0 && (state.sem_perm.mode & 0040) == (seed % 2 ? 0040 : 0), "mode");
    struct seminfo limits = { 0 };
    check(semctl(0, 0, IPC_INFO, (union semun){ .info = &limits }) >= 0 && limits.semmsl > 0, "IPC_INFO");
    check(semctl(set, 0, GETALL, (union semun){ .array = (void *)1 }) < 0 && errno == EFAULT, "GETALL to a bad address");
    check(semctl(set, COUNT, GETVAL) < 0 && errno == EINVAL, "a semaphore that is none");
    check(semctl(-1, 0, GETALL, (union semun){ .array = in }) < 0 && errno == EINVAL, "a set that is none");
    check(semctl(set, 0, 12345, (union semun){ .val = 0 }) < 0 && errno == EINVAL, "a command that is none");
}

static void several(void)
{
    check(semctl(set, 0, SETVAL, (union semun){ .val = 1 }) == 0 && semctl(set, 1, SETVAL, (union semun){ .val = 0 }) == 0, "SETVAL");
    struct sembuf all[] = { { 0, -1, IPC_NOWAIT }, { 1, -1, IPC_NOWAIT } };
    check(semop(set, all, 2) < 0 && errno == EAGAIN && semctl(set, 0, GETVAL) == 1, "half of an operation was done");
    all[1].sem_op = 2;
    check(semop(set, all, 2) == 0 && semctl(set, 0, GETVAL) == 0 && semctl(set, 1, GETVAL) == 2, "semop of two");
    int64_t began = now_ns();
    struct timespec time = timespec_of(30 * MILLISECOND);
    check(semtimedop(set, &(struct sembuf){ 0, -1, 0 }, 1, &time) < 0 && errno == EAGAIN, "semtimedop");
    check_duration(began, 30, "semtimedop");
    static struct sembuf far_too_many[100000];
    check(semop(set, far_too_many, 100000) < 0 && errno == E2BIG, "too many operations");
    check(semop(set, all, 4000000000u) < 0 && errno == E2BIG, "absurdly many operations");
    check(semop(set, all, 0) < 0 && errno == EINVAL, "no operations");
    check(semop(set, &(struct sembuf){ 100, 1, 0 }, 1) < 0 && errno == EFBIG, "a semaphore that is none");
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    set = semget(IPC_PRIVATE, COUNT, 0600);
    ping = semget(IPC_PRIVATE, 3, 0600);
    check(set >= 0 && ping >= 0, "semget");
    pid_t pid = helper(partner);
    ready();
    for (unsigned round = 0; working(); round++) {
        whole(round);
        several();
        for (int i = 0; i < 5; i++) {
            operate(ping, 0, 1, 0, "ask");
            operate(ping, 1, -1, 0, "wait for the answer");
        }
        check(semctl(ping, 2, GETVAL) == 5, "the partner's semaphore");
        burn();
    }
    kill(pid, SIGKILL);
    check(waitpid(pid, NULL, 0) == pid, "waitpid");
    check(semctl(ping, 2, GETVAL) == 0, "what the partner did was not undone");
    check(semctl(ping, 0, IPC_RMID) == 0 && semctl(set, 0, IPC_RMID) == 0, "IPC_RMID");
    return finish("semaphores kept count");
}
