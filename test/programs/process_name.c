/* The names of the process and of its threads: kept through a move, and set anew anywhere. */
#include "common.h"

static volatile bool stop;

static void check_name(const char *expected)
{
    char name[17] = "";
    check(prctl(PR_GET_NAME, name) == 0 && strcmp(name, expected) == 0, "the name is %s", name);
}

static void *other(void *argument)
{
    check_name("first name"); /* inherited */
    check(prctl(PR_SET_NAME, "other thread") == 0, "prctl");
    while (!stop) {
        check_name("other thread");
        burn();
    }
    return argument;
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    const char *name = "first name";
    pthread_t thread;
    check(prctl(PR_SET_NAME, name) == 0, "prctl");
    thread_start(&thread, other, NULL);
    ready();
    for (int round = 0; working(); round++) {
        check_name(name);
        burn();
        name = round % 2 ? "first name" : "second-name-15b";
        check(prctl(PR_SET_NAME, "longer than fifteen bytes") == 0, "prctl");
        check_name("longer than fif");
        check(prctl(PR_SET_NAME, name) == 0, "prctl anew");
    }
    stop = true;
    thread_result(thread);
    return finish("names kept");
}
