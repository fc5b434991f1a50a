/* A shared, read-only map of a file, whole and in part. */
#include "common.h"

#define SIZE (1 * MB)

int main(int argc, char **argv)
{
    begin(argc, argv);
    close(pattern_file("mapped", SIZE, 1));
    int fd = open("mapped", O_RDONLY);
    check(fd >= 0, "open");
    const char *whole = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
    const char *part = mmap(NULL, 16 * PAGE, PROT_READ, MAP_SHARED, fd, 32 * PAGE);
    check(whole != MAP_FAILED && part != MAP_FAILED, "mmap");
    int other = dup(fd);
    close(fd); /* a map outlives its descriptor */
    pattern_check(whole, SIZE / 2, 1, "first half");
    ready();
    while (working()) {
        pattern_check(whole, SIZE, 1, "whole map");
        check(memcmp(part, whole + 32 * PAGE, 16 * PAGE) == 0, "the part differs from the whole");
        const char *fresh = mmap(NULL, SIZE / 2, PROT_READ, MAP_SHARED, other, SIZE / 2);
        check(fresh != MAP_FAILED, "mmap anew");
        check(memcmp(fresh, whole + SIZE / 2, SIZE / 2) == 0, "the new map differs from the old");
        check(munmap((void *)fresh, SIZE / 2) == 0, "munmap");
        burn();
    }
    unlink("mapped");
    return finish("shared file map intact");
}
