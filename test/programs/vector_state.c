/* Vector registers hold values across a migration: all of them, changing all the time, in a loop that touches no
 * memory. LEVEL: 0 = SSE (xmm0–15), 1 = AVX2 (ymm0–15), 2 = AVX-512 (zmm0–31 and the masks k1–k7). */
#include "common.h"

/* Assembler text for one register `i`, or for register `a` and its neighbour `b`. */
#if LEVEL == 0
#define LANES 4
#define REGISTERS 16
#define LOAD(i) "movdqu 16*" #i "(%rdi), %xmm" #i "\n"
#define STORE(i) "movdqu %xmm" #i ", 16*" #i "(%rdi)\n"
#define MIX(a, b) "paddd %xmm" #b ", %xmm" #a "\n"
#elif LEVEL == 1
#define LANES 8
#define REGISTERS 16
#define LOAD(i) "vmovdqu 32*" #i "(%rdi), %ymm" #i "\n"
#define STORE(i) "vmovdqu %ymm" #i ", 32*" #i "(%rdi)\n"
#define MIX(a, b) "vpaddd %ymm" #b ", %ymm" #a ", %ymm" #a "\n"
#else
#define LANES 16
#define REGISTERS 32
#define LOAD(i) "vmovdqu32 64*" #i "(%rdi), %zmm" #i "\n"
#define STORE(i) "vmovdqu32 %zmm" #i ", 64*" #i "(%rdi)\n"
#define MIX(a, b) "vpaddd %zmm" #b ", %zmm" #a ", %zmm" #a "\n"
#endif
#define LOW(F) F(0) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10) F(11) F(12) F(13) F(14) F(15)
#define HIGH(F) F(16) F(17) F(18) F(19) F(20) F(21) F(22) F(23) F(24) F(25) F(26) F(27) F(28) F(29) F(30) F(31)
#define MIX_LOW MIX(0, 15) MIX(1, 0) MIX(2, 1) MIX(3, 2) MIX(4, 3) MIX(5, 4) MIX(6, 5) MIX(7, 6) MIX(8, 7) MIX(9, 8) \
    MIX(10, 9) MIX(11, 10) MIX(12, 11) MIX(13, 12) MIX(14, 13) MIX(15, 14)
#define MIX_HIGH MIX(16, 31) MIX(17, 16) MIX(18, 17) MIX(19, 18) MIX(20, 19) MIX(21, 20) MIX(22, 21) MIX(23, 22) \
    MIX(24, 23) MIX(25, 24) MIX(26, 25) MIX(27, 26) MIX(28, 27) MIX(29, 28) MIX(30, 29) MIX(31, 30)

#define MASKS 8 /* k0 is no general mask; its slot stays unused */
#define EACH_MASK(F) F(1) F(2) F(3) F(4) F(5) F(6) F(7)
#define LOAD_MASK(i) "kmovw 2*" #i "(%rdx), %k" #i "\n"
#define STORE_MASK(i) "kmovw %k" #i ", 2*" #i "(%rdx)\n"
#define MIX_MASK(a, b) "kxorw %k" #b ", %k" #a ", %k" #a "\n"
#define MIX_MASKS MIX_MASK(1, 2) MIX_MASK(2, 3) MIX_MASK(3, 4) MIX_MASK(4, 5) MIX_MASK(5, 6) MIX_MASK(6, 7) MIX_MASK(7, 1)

#if LEVEL == 2
#define LOAD_ALL LOW(LOAD) HIGH(LOAD) EACH_MASK(LOAD_MASK)
#define MIX_ALL MIX_LOW MIX_HIGH MIX_MASKS
#define STORE_ALL LOW(STORE) HIGH(STORE) EACH_MASK(STORE_MASK) "vzeroupper\n"
#else
#define LOAD_ALL LOW(LOAD)
#define MIX_ALL MIX_LOW
#define STORE_ALL LOW(STORE)
#endif

/* Loads all registers, adds to each its lower neighbour (and xors each mask with its upper one) `count` times,
 * and stores them. */
asm(".text\n.type spin, @function\nspin:\n" LOAD_ALL "1:\n" MIX_ALL "dec %rsi\n jnz 1b\n" STORE_ALL "ret\n.size spin, .-spin\n");
extern void spin(uint32_t (*lanes)[LANES], long count, uint16_t *masks);

struct state { uint32_t lanes[REGISTERS][LANES]; uint16_t masks[MASKS]; };

static struct state initial(void)
{
    struct state s;
    pattern_fill(&s, sizeof s, 9);
    return s;
}

/* The same in C. */
static void model(struct state *s, long count)
{
    for (; count > 0; count--) {
        for (int half = 0; half < REGISTERS; half += 16)
            for (int r = 0; r < 16; r++)
                for (int lane = 0; lane < LANES; lane++) s->lanes[half + r][lane] += s->lanes[half + (r + 15) % 16][lane];
        for (int k = 1; LEVEL == 2 && k < MASKS; k++) s->masks[k] ^= s->masks[k == 7 ? 1 : k + 1];
    }
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    struct state short_run = initial(), expected = initial();
    spin(short_run.lanes, 1000, short_run.masks);
    model(&expected, 1000);
    check(memcmp(&short_run, &expected, sizeof expected) == 0, "the loop and its model differ");
    long count = 3000000;
    expected = initial();
    spin(expected.lanes, count, expected.masks);
    ready();
    while (working()) {
        struct state s = initial();
        spin(s.lanes, count, s.masks);
        for (int r = 0; r < REGISTERS; r++)
            check(memcmp(s.lanes[r], expected.lanes[r], sizeof s.lanes[r]) == 0, "vector register %d changed", r);
        for (int k = 1; k < MASKS; k++) check(s.masks[k] == expected.masks[k], "mask k%d changed", k);
    }
    return finish("vector registers kept");
}
