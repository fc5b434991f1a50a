/* mremap: grow in place or elsewhere, shrink, move to a fixed address; content goes along, new memory is zero. */
#include "common.h"

#define START (64 * KB)

static void cycle(unsigned seed)
{
    char *memory = map_anonymous(START, PROT_READ | PROT_WRITE);
    pattern_fill(memory, START, seed);
    memory = mremap(memory, START, 8 * START, MREMAP_MAYMOVE);
    check(memory != MAP_FAILED, "mremap to grow");
    pattern_check(memory, START, seed, "grown map");
    zero_check(memory + START, 7 * START, "new part of the grown map");
    pattern_fill(memory, 8 * START, seed + 1);

    char *place = map_anonymous(8 * START, PROT_NONE);
    char *moved = mremap(memory, 8 * START, 8 * START, MREMAP_MAYMOVE | MREMAP_FIXED, place);
    check(moved == place, "mremap to a fixed address");
    pattern_check(moved, 8 * START, seed + 1, "moved map");
    unsigned char resident[8 * START / PAGE];
    check(mincore(memory, 8 * START, resident) == -1 && errno == ENOMEM, "the old place is still mapped");

    check(mremap(moved, 8 * START, START, 0) == moved, "mremap to shrink");
    pattern_check(moved, START, seed + 1, "shrunk map");
    /* In the middle of a larger map there is no room to grow in place. */
    char *wall = mmap(moved + START, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    check(wall == moved + START, "mmap with MAP_FIXED_NOREPLACE");
    check(mremap(moved, START, 2 * START, 0) == MAP_FAILED && errno == ENOMEM, "grew over another map");
    check(munmap(wall, PAGE) == 0 && munmap(moved, START) == 0, "munmap");
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    char *kept = map_anonymous(START, PROT_READ | PROT_WRITE);
    pattern_fill(kept, START, 7);
    long size = START;
    ready();
    for (unsigned round = 0; working(); round++) {
        cycle(round);
        pattern_check(kept, START, 7, "map from before");
        if (size < 4 * MB) {
            kept = mremap(kept, size, size + START, MREMAP_MAYMOVE);
            check(kept != MAP_FAILED, "mremap of the map from before");
            zero_check(kept + size, START, "new end of the map from before");
            size += START;
        }
        burn();
    }
    return finish("maps moved");
}
