/* Ends with the exit status of argument 2, after its atexit functions and with its buffered output written. */
#include "common.h"

static void first(void) { printf("first registered, last run\n"); }
static void second(void) { printf("second registered, first run\n"); }

int main(int argc, char **argv)
{
    begin(argc, argv);
    check(argc > 2, "needs argument 2: the status");
    check(atexit(first) == 0 && atexit(second) == 0, "atexit");
    ready();
    while (working()) burn();
    printf("buffered until the end\n");
    exit(atoi(argv[2]));
}
