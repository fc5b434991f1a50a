/* Another thread ends the process by exit(9) while the main thread computes and others wait in calls. */
#include "common.h"

static int never[2];

static void *waits(void *argument)
{
    char byte;
    ssize_t got = read(never[0], &byte, 1);
    check(false, "read returned %zd", got);
    return argument;
}

static void *sleeps(void *argument)
{
    sleep(1000);
    check(false, "the sleep ended");
    return argument;
}

static void *ends(void *argument)
{
    (void)argument;
    while (working()) burn();
    say("exit from a thread\n");
    exit(9);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    check(pipe(never) == 0, "pipe");
    pthread_t thread;
    thread_start(&thread, waits, NULL);
    thread_start(&thread, sleeps, NULL);
    ready();
    thread_start(&thread, ends, NULL);
    for (int64_t began = now_ns(); now_ns() - began < (int64_t)(run_seconds + 20) * SECOND;) burn();
    fail(__FILE_NAME__, __LINE__, "exit", "the process did not end");
}
