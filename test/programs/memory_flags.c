/* Flags of memory that fork obeys: MADV_WIPEONFORK (random generators rely on it), MADV_DONTFORK, MADV_DONTDUMP.
 * Argument 2 says how they are checked after the loop: "smaps" reads /proc/self/smaps, "fork" forks once. */
#include "common.h"
#include <setjmp.h>

#define SIZE (64 * KB)

struct set { char *wiped, *absent, *undumped, *plain, *undone; };

static struct set make(unsigned seed)
{
    struct set s;
    char **each[] = { &s.wiped, &s.absent, &s.undumped, &s.plain, &s.undone };
    for (int i = 0; i < 5; i++) {
        /* A wall on both sides, so that each stays a map of its own. */
        char *room = map_anonymous(SIZE + 2 * PAGE, PROT_NONE);
        check(mprotect(room + PAGE, SIZE, PROT_READ | PROT_WRITE) == 0, "mprotect");
        *each[i] = room + PAGE;
        pattern_fill(*each[i], SIZE, seed + i);
    }
    check(madvise(s.wiped, SIZE, MADV_WIPEONFORK) == 0, "MADV_WIPEONFORK");
    check(madvise(s.absent, SIZE, MADV_DONTFORK) == 0, "MADV_DONTFORK");
    check(madvise(s.undumped, SIZE, MADV_DONTDUMP) == 0, "MADV_DONTDUMP");
    check(madvise(s.undone, SIZE, MADV_WIPEONFORK) == 0 && madvise(s.undone, SIZE, MADV_KEEPONFORK) == 0, "MADV_KEEPONFORK");
    return s;
}

static void verify(struct set *s, unsigned seed)
{
    char *each[] = { s->wiped, s->absent, s->undumped, s->plain, s->undone };
    for (int i = 0; i < 5; i++) pattern_check(each[i], SIZE, seed + i, "flagged memory");
}

static void discard(struct set *s)
{
    char *each[] = { s->wiped, s->absent, s->undumped, s->plain, s->undone };
    for (int i = 0; i < 5; i++) check(munmap(each[i] - PAGE, SIZE + 2 * PAGE) == 0, "munmap");
}

/* Whether VmFlags of the map that starts at `address` hold the two-letter flag. */
static bool flagged(char *address, const char *flag)
{
    FILE *file = fopen("/proc/self/smaps", "r");
    check(file, "open /proc/self/smaps");
    char line[400], start[40];
    snprintf(start, sizeof start, "%lx-", (unsigned long)address);
    bool here = false, found = false, result = false;
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, start, strlen(start)) == 0) here = found = true;
        if (here && strncmp(line, "VmFlags:", 8) == 0) {
            result = strstr(line + 8, flag) != NULL;
            here = false;
        }
    }
    fclose(file);
    check(found, "the map is not in /proc/self/smaps");
    return result;
}

static void verify_smaps(struct set *s)
{
    check(flagged(s->wiped, " wf"), "WIPEONFORK is lost");
    check(flagged(s->absent, " dc"), "DONTFORK is lost");
    check(flagged(s->undumped, " dd"), "DONTDUMP is lost");
    check(!flagged(s->plain, " wf") && !flagged(s->plain, " dc") && !flagged(s->plain, " dd"), "plain memory is flagged");
    check(!flagged(s->undone, " wf"), "KEEPONFORK is lost");
}

static sigjmp_buf back;
static void on_fault(int n) { (void)n; siglongjmp(back, 1); }

static void verify_in_child(struct set *s, unsigned seed)
{
    pid_t pid = fork();
    check(pid >= 0, "fork");
    if (pid == 0) {
        zero_check(s->wiped, SIZE, "WIPEONFORK memory in a child");
        pattern_check(s->undumped, SIZE, seed + 2, "DONTDUMP memory in a child");
        pattern_check(s->plain, SIZE, seed + 3, "plain memory in a child");
        pattern_check(s->undone, SIZE, seed + 4, "KEEPONFORK memory in a child");
        signal(SIGSEGV, on_fault);
        if (sigsetjmp(back, 1) == 0) {
            (void)*(volatile char *)s->absent;
            check(false, "DONTFORK memory is there in a child");
        }
        _exit(0);
    }
    helper_ends(pid);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    check(argc > 2, "needs argument 2: smaps or fork");
    struct set old = make(100), middle = { 0 };
    ready();
    for (unsigned round = 0; working(); round++) {
        verify(&old, 100);
        if (!middle.wiped && milliseconds_left() < run_seconds * 500) middle = make(200);
        struct set fresh = make(round);
        verify(&fresh, round);
        discard(&fresh);
        burn();
    }
    if (!middle.wiped) middle = make(200);
    verify(&middle, 200);
    if (strcmp(argv[2], "smaps") == 0) {
        verify_smaps(&old);
        verify_smaps(&middle);
    } else {
        verify_in_child(&old, 100);
        verify_in_child(&middle, 200);
        verify(&old, 100);
    }
    return finish("memory flags kept");
}
