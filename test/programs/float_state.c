/* x87 and SSE control and status: rounding, precision and exception masks, sticky exception flags, a full x87
 * register stack with its top anywhere, and results that depend on all of these. */
#include "common.h"
#include <math.h>

#define CONTROL_X87 0x0b7f  /* round up, 64-bit mantissa, all exceptions masked */
#define CONTROL_SSE 0xdf80  /* flush to zero, round up, all exceptions masked, no flags */
#define SPINS 3000000L

static uint16_t control_word(void) { uint16_t w; asm volatile("fnstcw %0" : "=m"(w)); return w; }
static uint16_t status_word(void) { uint16_t w; asm volatile("fnstsw %0" : "=m"(w)); return w; }
static uint32_t mxcsr(void) { uint32_t w; asm volatile("stmxcsr %0" : "=m"(w)); return w; }
static void set_mxcsr(uint32_t w) { asm volatile("ldmxcsr %0" : : "m"(w)); }

/* Eight values on the x87 stack; `spins` times the top moves on and changes its sign. Nothing leaves the FPU. */
static void spin_x87(long double values[8], long spins)
{
    asm volatile("fldt 112(%1)\n fldt 96(%1)\n fldt 80(%1)\n fldt 64(%1)\n"
                 "fldt 48(%1)\n fldt 32(%1)\n fldt 16(%1)\n fldt (%1)\n"
                 "1: fchs\n fincstp\n dec %0\n jnz 1b\n"
                 "fstpt (%1)\n fstpt 16(%1)\n fstpt 32(%1)\n fstpt 48(%1)\n"
                 "fstpt 64(%1)\n fstpt 80(%1)\n fstpt 96(%1)\n fstpt 112(%1)\n"
                 : "+r"(spins) : "r"(values) : "memory", "cc");
}

static void verify_x87(void)
{
    long double values[8];
    for (int i = 0; i < 8; i++) values[i] = 1.0L / (i + 3);
    long double expected[8];
    memcpy(expected, values, sizeof values);
    spin_x87(values, SPINS + 8 + 3); /* turned on by three places */
    for (int i = 0; i < 8; i++) {
        long double before = expected[(i + (SPINS + 11) % 8) % 8];
        check(fabsl(values[i]) == fabsl(before), "x87 register %d changed", i);
    }
}

/* Sums that differ in their last bits with the rounding mode. */
static double sum_sse(void)
{
    volatile double sum = 0;
    for (int i = 1; i < 400000; i++) sum = sum + 1.0 / i;
    return sum;
}

static long double sum_x87(void)
{
    volatile long double sum = 0;
    for (int i = 1; i < 400000; i++) sum = sum + 1.0L / i;
    return sum;
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    double nearest = sum_sse();
    asm volatile("fninit\n fldcw %0" : : "m"((uint16_t){ CONTROL_X87 }));
    set_mxcsr(CONTROL_SSE);
    double upwards = sum_sse();
    long double upwards_x87 = sum_x87();
    check(upwards > nearest, "rounding up has no effect");
    ready();
    while (working()) {
        check(control_word() == CONTROL_X87, "x87 control word is %#x", control_word());
        check((mxcsr() & ~0x3fu) == CONTROL_SSE, "mxcsr is %#x", mxcsr());
        verify_x87();
        check(sum_sse() == upwards, "SSE sum differs");
        check(sum_x87() == upwards_x87, "x87 sum differs");
        /* Sticky flags: set division by zero, work without setting it again, find it. */
        asm volatile("fnclex");
        set_mxcsr(CONTROL_SSE);
        volatile double zero = 0, one = 1, infinite = one / zero;
        volatile long double zero_x87 = 0, infinite_x87 = 1 / zero_x87;
        check(isinf(infinite) && isinf(infinite_x87), "1/0");
        burn();
        check(mxcsr() & 4, "the SSE flag of division by zero is lost");
        check(status_word() & 4, "the x87 flag of division by zero is lost");
        volatile double tiny = 1e-308, flushed = tiny / 1e10;
        check(flushed == 0, "flush to zero is lost");
    }
    return finish("floating-point state kept");
}
