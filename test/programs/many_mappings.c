/* So many mappings that their description does not fit one message: neighbours differ in their protection. */
#include "common.h"

#define COUNT 60000

int main(int argc, char **argv)
{
    begin(argc, argv);
    run_seconds += 15; /* the move takes some of them */
    char *memory = mmap(NULL, (size_t)COUNT * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    check(memory != MAP_FAILED, "mmap");
    for (int i = 0; i < COUNT; i += 2) check(mprotect(memory + (size_t)i * PAGE, PAGE, PROT_READ | PROT_WRITE) == 0, "mprotect %d", i);
    for (int i = 0; i < COUNT; i += 200) memory[(size_t)i * PAGE] = (char)(i / 200);
    ready();
    while (working()) {
        burn();
        for (int i = 0; i < COUNT; i++)
            check(memory[(size_t)i * PAGE] == (i % 200 ? 0 : (char)(i / 200)), "page %d", i);
    }
    return finish("all mappings hold");
}
