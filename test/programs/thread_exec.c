/* execve(2) by another thread than the main one, while the others wait, sleep and compute: they all end, the program goes
 * on as a new one with the same process id, and descriptors stay as they were. */
#include "common.h"

static int never[2];

static void *waits(void *argument)
{
    char byte;
    return read(never[0], &byte, 1) == 1 ? argument : NULL;
}

static void *sleeps(void *argument) { return sleep(1000) ? argument : NULL; }

static void *computes(void *argument)
{
    for (volatile uint64_t x = 0;; x++) {}
    return argument;
}

static char **arguments;

static void *executes(void *argument)
{
    for (int i = 0; i < 3; i++) burn();
    char pid[20], pipe_end[20];
    snprintf(pid, sizeof pid, "%d", getpid());
    snprintf(pipe_end, sizeof pipe_end, "%d", never[1]);
    execl(arguments[0], arguments[0], arguments[1], "again", pid, pipe_end, NULL);
    check(false, "execl returned");
    return argument;
}

static int again(char **argv)
{
    check(getpid() == atoi(argv[3]) && gettid() == getpid(), "the process id after execve");
    write_all(atoi(argv[4]), "x", 1, "the pipe from before");
    return finish("executed by a thread");
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    arguments = argv;
    if (argc > 4 && strcmp(argv[2], "again") == 0) return again(argv);
    check(pipe(never) == 0, "pipe");
    pthread_t threads[3], last;
    thread_start(&threads[0], waits, NULL);
    thread_start(&threads[1], sleeps, NULL);
    ready();
    while (working()) burn();
    thread_start(&threads[2], computes, NULL);
    thread_start(&last, executes, NULL);
    pause();
    return 1;
}
