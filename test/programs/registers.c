/* All general registers and the carry and direction flags hold values in a loop without memory; the gs base of
 * the program is its own. */
#include "common.h"
#include <asm/prctl.h>

#define REGISTERS 14 /* all but rsp and the counter r15 */
#define SPINS 2000000L

/* long spin(uint64_t *values, long count): adds to each register its neighbour with carry, the carry living on from
 * pass to pass, with the direction flag set; returns the flags. */
asm(".text\n.type spin, @function\nspin:\n"
    "push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n push %rdi\n"
    "mov %rsi, %r15\n mov %rdi, %rax\n"
    "mov 8(%rax), %rbx\n mov 16(%rax), %rcx\n mov 24(%rax), %rdx\n mov 32(%rax), %rsi\n mov 40(%rax), %rdi\n"
    "mov 48(%rax), %rbp\n mov 56(%rax), %r8\n mov 64(%rax), %r9\n mov 72(%rax), %r10\n mov 80(%rax), %r11\n"
    "mov 88(%rax), %r12\n mov 96(%rax), %r13\n mov 104(%rax), %r14\n mov (%rax), %rax\n"
    "std\n clc\n"
    "1: adc %r14, %rax\n adc %rax, %rbx\n adc %rbx, %rcx\n adc %rcx, %rdx\n adc %rdx, %rsi\n adc %rsi, %rdi\n"
    "adc %rdi, %rbp\n adc %rbp, %r8\n adc %r8, %r9\n adc %r9, %r10\n adc %r10, %r11\n adc %r11, %r12\n"
    "adc %r12, %r13\n adc %r13, %r14\n"
    "dec %r15\n jnz 1b\n"
    "pushf\n cld\n xchg %rax, 8(%rsp)\n" /* rax = values, its own value waits on the stack */
    "mov %rbx, 8(%rax)\n mov %rcx, 16(%rax)\n mov %rdx, 24(%rax)\n mov %rsi, 32(%rax)\n mov %rdi, 40(%rax)\n"
    "mov %rbp, 48(%rax)\n mov %r8, 56(%rax)\n mov %r9, 64(%rax)\n mov %r10, 72(%rax)\n mov %r11, 80(%rax)\n"
    "mov %r12, 88(%rax)\n mov %r13, 96(%rax)\n mov %r14, 104(%rax)\n"
    "mov %rax, %rdi\n pop %rax\n pop %rcx\n mov %rcx, (%rdi)\n"
    "pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n ret\n"
    ".size spin, .-spin\n");
extern long spin(uint64_t *values, long count);

static int model(uint64_t v[REGISTERS], long count)
{
    unsigned carry = 0;
    for (; count > 0; count--)
        for (int i = 0; i < REGISTERS; i++) {
            unsigned __int128 sum = (unsigned __int128)v[i] + v[(i + REGISTERS - 1) % REGISTERS] + carry;
            v[i] = (uint64_t)sum;
            carry = (unsigned)(sum >> 64);
        }
    return (int)carry;
}

static uint64_t gs_word(void) { uint64_t w; asm volatile("mov %%gs:8, %0" : "=r"(w)); return w; }

int main(int argc, char **argv)
{
    begin(argc, argv);
    static uint64_t first[2] = { 0, 0x1122334455667788 }, second[2] = { 0, 0x99aabbccddeeff00 };
    check(syscall(SYS_arch_prctl, ARCH_SET_GS, first) == 0, "arch_prctl");
    uint64_t expected[REGISTERS], start[REGISTERS];
    pattern_fill(start, sizeof start, 5);
    memcpy(expected, start, sizeof start);
    int carry = model(expected, SPINS);
    ready();
    for (int round = 0; working(); round++) {
        uint64_t values[REGISTERS];
        memcpy(values, start, sizeof start);
        long flags = spin(values, SPINS);
        for (int i = 0; i < REGISTERS; i++) check(values[i] == expected[i], "register %d changed", i);
        check((flags & 1) == carry, "the carry flag changed");
        check(flags & 0x400, "the direction flag is lost");
        check(gs_word() == (round % 2 ? second : first)[1], "the gs base changed");
        check(syscall(SYS_arch_prctl, ARCH_SET_GS, round % 2 ? first : second) == 0, "arch_prctl anew");
        uint64_t base = 0;
        check(syscall(SYS_arch_prctl, ARCH_GET_GS, &base) == 0 && base == (uintptr_t)(round % 2 ? first : second), "ARCH_GET_GS");
    }
    return finish("registers kept");
}
