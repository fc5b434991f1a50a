/* A thread that maps files and unmaps them at once, all the time, as a program does that loads and drops libraries: whoever
 * looks at the map of the process finds that parts of it have gone since. */
#include "common.h"

#define FILES 24
#define SIZE (8 * KB)

static volatile bool over;

static void *churn_mappings(void *argument)
{
    char *mapped[FILES];
    (void)argument;
    while (!over) {
        for (int i = 0; i < FILES; i++) {
            char name[20];
            snprintf(name, sizeof name, "file%d", i);
            int fd = open(name, O_RDONLY | O_CLOEXEC);
            check(fd >= 0, "open %s", name);
            mapped[i] = mmap(NULL, SIZE, PROT_READ, MAP_PRIVATE, fd, 0);
            check(mapped[i] != MAP_FAILED && close(fd) == 0, "map %s", name);
        }
        for (int i = 0; i < FILES; i++) {
            for (size_t k = 0; k < SIZE; k += 500)
                check(mapped[i][k] == (char)pattern_byte(k, i), "byte %zu of file %d", k, i);
            check(munmap(mapped[i], SIZE) == 0, "munmap");
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t thread;
    begin(argc, argv);
    for (int i = 0; i < FILES; i++) {
        char name[20];
        snprintf(name, sizeof name, "file%d", i);
        check(close(pattern_file(name, SIZE, i)) == 0, "close");
    }
    thread_start(&thread, churn_mappings, NULL);
    ready();
    while (working()) burn();
    over = true;
    thread_result(thread);
    return finish("mappings that come and go");
}
