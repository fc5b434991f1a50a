/* Message queues of System V and of POSIX: types and priorities, waiting, limits, attributes and notification. */
#include "common.h"
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>

static int queue, there, back;
static mqd_t posix_queue;
static volatile int notified, notified_value;
static void on_notify(int n, siginfo_t *info, void *context) { (void)n, (void)context; notified++, notified_value = info->si_value.sival_int; }

struct message {
    long type;
    char text[8000];
};

/* Sends every message back, with its type raised. */
static void echo(void)
{
    static struct message m;
    for (;;) {
        ssize_t n = msgrcv(there, &m, sizeof m.text, 0, 0);
        check(n >= 0, "msgrcv in the helper");
        m.type++;
        check(msgsnd(back, &m, n, 0) == 0, "msgsnd in the helper");
    }
}

static void system_v(unsigned seed)
{
    static struct message m, got;
    for (int i = 1; i <= 3; i++) {
        m.type = i;
        pattern_fill(m.text, 100 * i, seed + i);
        check(msgsnd(queue, &m, 100 * i, 0) == 0, "msgsnd");
    }
    struct msqid_ds state;
    check(msgctl(queue, IPC_STAT, &state) == 0 && state.msg_qnum == 3 && state.msg_lspid == getpid(), "IPC_STAT says %lu messages", state.msg_qnum);
    memset(&got, 0x66, sizeof got);
    check(msgrcv(queue, &got, sizeof got.text, 2, 0) == 200 && got.type == 2, "msgrcv of type 2");
    pattern_check(got.text, 200, seed + 2, "message");
    for (int i = 200; i < 300; i++) check(got.text[i] == 0x66, "byte %d behind the message was written", i);
    check(msgrcv(queue, &got, 50, -3, 0) < 0 && errno == E2BIG, "msgrcv with too little room");
    check(msgrcv(queue, &got, 50, -3, MSG_NOERROR) == 50 && got.type == 1, "msgrcv that cuts");
    check(msgrcv(queue, &got, sizeof got.text, 3, 0) == 300, "msgrcv of type 3");
    check(msgrcv(queue, &got, sizeof got.text, 0, IPC_NOWAIT) < 0 && errno == ENOMSG, "msgrcv of nothing");
    m.type = 5;
    check(msgsnd(queue, &m, 0, 0) == 0 && msgrcv(queue, &got, 0, 5, 0) == 0 && got.type == 5, "a message without text");
    check(msgsnd(queue, &m, -1, 0) < 0 && errno == EINVAL && msgsnd(queue, &m, 1000 * GB, 0) < 0 && errno == EINVAL, "msgsnd of an absurd size");
    m.type = 0;
    check(msgsnd(queue, &m, 1, 0) < 0 && errno == EINVAL, "msgsnd of type 0");
    state.msg_qbytes = 10000;
    check(msgctl(queue, IPC_SET, &state) == 0 && msgctl(queue, IPC_STAT, &state) == 0 && state.msg_qbytes == 10000, "IPC_SET");
    m.type = seed + 1;
    pattern_fill(m.text, sizeof m.text, seed);
    check(msgsnd(there, &m, sizeof m.text, 0) == 0, "msgsnd of a long message");
    check(msgrcv(back, &got, sizeof got.text, 0, 0) == sizeof got.text && got.type == (long)seed + 2, "msgrcv of the answer");
    pattern_check(got.text, sizeof got.text, seed, "answer");
}

static void posix(unsigned seed)
{
    char text[256];
    unsigned priority;
    struct mq_attr attributes;
    int before = notified;
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = (int)seed };
    check(mq_notify(posix_queue, &event) == 0, "mq_notify");
    check(mq_notify(posix_queue, &event) < 0 && errno == EBUSY, "mq_notify twice");
    check(mq_send(posix_queue, "low", 3, 1) == 0, "mq_send");
    for (int i = 0; notified == before && i < 1000; i++) usleep(1000);
    check(notified == before + 1 && notified_value == (int)seed, "notified %d times, value %d", notified - before, notified_value);
    check(mq_send(posix_queue, "high", 4, 9) == 0 && mq_send(posix_queue, "", 0, 5) == 0, "mq_send");
    check(mq_getattr(posix_queue, &attributes) == 0 && attributes.mq_curmsgs == 3 && attributes.mq_msgsize == 256, "mq_getattr");
    check(mq_receive(posix_queue, text, sizeof text, &priority) == 4 && priority == 9 && memcmp(text, "high", 4) == 0, "mq_receive");
    check(mq_receive(posix_queue, text, sizeof text, NULL) == 0, "mq_receive of an empty message");
    check(mq_receive(posix_queue, text, 255, &priority) < 0 && errno == EMSGSIZE, "mq_receive with too little room");
    check(mq_receive(posix_queue, text, sizeof text, &priority) == 3 && priority == 1, "mq_receive");
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 20 * MILLISECOND;
    if (until.tv_nsec >= SECOND) until.tv_nsec -= SECOND, until.tv_sec++;
    int64_t began = now_ns();
    check(mq_timedreceive(posix_queue, text, sizeof text, NULL, &until) < 0 && errno == ETIMEDOUT, "mq_timedreceive");
    check(now_ns() - began >= 15 * MILLISECOND, "mq_timedreceive ended early");
    check(mq_send(posix_queue, text, 257, 1) < 0 && errno == EMSGSIZE, "mq_send of too much");
    attributes.mq_flags = O_NONBLOCK;
    check(mq_setattr(posix_queue, &attributes, NULL) == 0, "mq_setattr");
    check(mq_receive(posix_queue, text, sizeof text, NULL) < 0 && errno == EAGAIN, "mq_receive that must not wait");
    attributes.mq_flags = 0;
    struct mq_attr before_that;
    check(mq_setattr(posix_queue, &attributes, &before_that) == 0 && before_that.mq_flags == O_NONBLOCK, "mq_setattr");
    check(mq_open("/no-such-queue", O_RDONLY) < 0 && errno == ENOENT, "mq_open of nothing");
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    queue = msgget(IPC_PRIVATE, 0600), there = msgget(IPC_PRIVATE, 0600), back = msgget(IPC_PRIVATE, 0600);
    check(queue >= 0 && there >= 0 && back >= 0, "msgget");
    char name[64];
    snprintf(name, sizeof name, "/queue-%d", getpid());
    struct mq_attr wanted = { .mq_maxmsg = 5, .mq_msgsize = 256 };
    posix_queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &wanted);
    check(posix_queue >= 0 && mq_unlink(name) == 0, "mq_open");
    handle(SIGUSR1, on_notify, SA_RESTART);
    pid_t pid = helper(echo);
    ready();
    for (unsigned round = 0; working(); round++) {
        system_v(round);
        posix(round);
        burn();
    }
    kill(pid, SIGKILL);
    check(waitpid(pid, NULL, 0) == pid, "waitpid");
    for (int *id = (int[]){ queue, there, back, -1 }; *id >= 0; id++) check(msgctl(*id, IPC_RMID, NULL) == 0, "IPC_RMID");
    return finish("messages came in the order that was asked for");
}
