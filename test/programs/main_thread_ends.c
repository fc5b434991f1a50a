/* The main thread ends by pthread_exit, the others go on; the last one's return ends the process with status 0. Argument 2:
 * "before" = it ends before "ready", so that a process with a dead leader moves; "while" = it ends midway. */
#include "common.h"

static pthread_t main_thread;
static pid_t main_id;

static bool leader_is_dead(void)
{
    char name[60], text[300] = "";
    snprintf(name, sizeof name, "/proc/self/task/%d/stat", main_id);
    int fd = open(name, O_RDONLY);
    if (fd < 0) return true;
    if (read(fd, text, sizeof text - 1) < 0) text[0] = 0;
    close(fd);
    const char *end = strrchr(text, ')');
    return end && (end[2] == 'Z' || end[2] == 'X');
}

static void *goes_on(void *before)
{
    check(thread_result(main_thread) == (void *)&main_id, "the main thread's result");
    while (!leader_is_dead()) usleep(1000);
    if (before) ready();
    while (working()) {
        check(getpid() == main_id && gettid() != main_id, "the process id");
        burn();
    }
    pthread_exit((void *)(uintptr_t)finish("gone on without the main thread"));
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    check(argc > 2, "needs argument 2: before or while");
    bool before = strcmp(argv[2], "before") == 0;
    pthread_t thread;
    main_thread = pthread_self();
    main_id = getpid();
    if (!before) {
        ready();
        while (milliseconds_left() > run_seconds * 500) burn();
    }
    thread_start(&thread, goes_on, before ? (void *)1 : NULL);
    pthread_exit(&main_id);
}
