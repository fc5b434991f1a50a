/* The names of the process and of its threads: kept through a move, set anew anywhere, and seen by others at home. */
#include "common.h"

static volatile bool stop, asleep;
static volatile pid_t other_tid;

static void check_name(const char *expected)
{
    char name[17] = "";
    check(prctl(PR_GET_NAME, name) == 0 && strcmp(name, expected) == 0, "the name is %s, not %s", name, expected);
}

static void *other(void *argument)
{
    check_name("first name"); /* inherited */
    check(prctl(PR_SET_NAME, "other thread") == 0, "prctl");
    other_tid = gettid();
    while (!stop) {
        check_name("other thread");
        burn();
    }
    return argument;
}

/* Never sets its name again. */
static void *sleeper(void *argument)
{
    check(prctl(PR_SET_NAME, "slee\xff" "er\\\n") == 0, "prctl");
    asleep = true;
    while (!stop) usleep(1000);
    check_name("slee\xff" "er\\\n");
    return argument;
}

static int question[2], answer[2];

/* What others see of it: the name in /proc, read by a process that stays at home. */
static void reader(void)
{
    pid_t tid;
    while (read(question[0], &tid, sizeof tid) == sizeof tid) {
        char path[64], name[32] = "";
        snprintf(path, sizeof path, "/proc/%d/task/%d/comm", getppid(), tid);
        int fd = open(path, O_RDONLY);
        if (fd < 0 || read(fd, name, 31) < 0) _exit(1);
        close(fd);
        if (write(answer[1], name, sizeof name) != sizeof name) _exit(1);
    }
}

static void check_seen(pid_t tid, const char *expected)
{
    char name[32];
    check(write(question[1], &tid, sizeof tid) == sizeof tid, "write");
    check(read(answer[0], name, sizeof name) == sizeof name, "read");
    check(strncmp(name, expected, strlen(expected)) == 0 && strcmp(name + strlen(expected), "\n") == 0,
          "others see the name %s, not %s", name, expected);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    const char *name = "first name";
    pthread_t thread, third;
    check(pipe(question) == 0 && pipe(answer) == 0, "pipe");
    helper(reader);
    check(prctl(PR_SET_NAME, name) == 0, "prctl");
    thread_start(&thread, other, NULL);
    thread_start(&third, sleeper, NULL);
    while (!asleep || !other_tid) usleep(1000);
    ready();
    for (int round = 0; working(); round++) {
        check_name(name);
        burn();
        check_seen(getpid(), name);
        check_seen(other_tid, "other thread");
        name = round % 2 ? "first name" : "second-name-15b";
        check(prctl(PR_SET_NAME, "longer than fifteen bytes") == 0, "prctl");
        check_name("longer than fif");
        check(prctl(PR_SET_NAME, name) == 0, "prctl anew");
    }
    stop = true;
    thread_result(thread);
    thread_result(third);
    return finish("names kept");
}
