/* Code written by the program itself: a page that is writable and executable at once, and pages that change
 * between writable and executable; written, run, rewritten, run. */
#include "common.h"

typedef int (*Function)(int);

/* mov eax, edi; add eax, imm32; ret */
static void assemble(uint8_t *at, int32_t addend)
{
    uint8_t code[] = { 0x89, 0xf8, 0x05, 0, 0, 0, 0, 0xc3 };
    memcpy(code + 3, &addend, 4);
    memcpy(at, code, sizeof code);
}

static void run(uint8_t *at, int32_t addend)
{
    int result = ((Function)(uintptr_t)at)(1000);
    check(result == 1000 + addend, "generated code returned %d instead of %d", result, 1000 + addend);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    uint8_t *both = map_anonymous(4 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
    uint8_t *strict = map_anonymous(4 * PAGE, PROT_READ | PROT_WRITE);
    assemble(both, 1);
    assemble(strict, 2);
    check(mprotect(strict, 4 * PAGE, PROT_READ | PROT_EXEC) == 0, "mprotect");
    ready();
    for (int round = 0; working(); round++) {
        run(both, 1);
        run(strict, 2);
        for (int i = 0; i < 200; i++) {
            assemble(both + PAGE + i * 8, round + i);
            run(both + PAGE + i * 8, round + i);
        }
        check(mprotect(strict, 4 * PAGE, PROT_READ | PROT_WRITE) == 0, "mprotect to writable");
        assemble(strict + 2 * PAGE, -round);
        check(mprotect(strict, 4 * PAGE, PROT_READ | PROT_EXEC) == 0, "mprotect to executable");
        run(strict + 2 * PAGE, -round);
        uint8_t *fresh = map_anonymous(PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
        assemble(fresh, round * 3);
        run(fresh, round * 3);
        check(munmap(fresh, PAGE) == 0, "munmap");
        burn();
    }
    return finish("generated code runs");
}
