/* One read that blocks for the whole run, and writes that block on a full pipe: moves in between do not show. The other
 * process answers only at the end. */
#include "common.h"

static int answers[2], bulk[2];

static void other(void)
{
    close(answers[0]);
    close(bulk[1]);
    usleep((useconds_t)(run_seconds * 1e6));
    write_all(answers[1], "late", 4, "the pipe");
    /* Now takes the bulk, slowly. */
    uint8_t data[64 * KB], expected[64 * KB];
    pattern_fill(expected, sizeof expected, 4);
    for (int i = 0; i < 8; i++) {
        usleep(30000);
        read_all(bulk[0], data, sizeof data, "the bulk pipe");
        check(memcmp(data, expected, sizeof data) == 0, "the bulk differs");
    }
    check(read(bulk[0], data, 1) == 0, "too much in the bulk pipe");
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    check(pipe(answers) == 0 && pipe(bulk) == 0, "pipe");
    pid_t pid = helper(other);
    close(answers[1]);
    close(bulk[0]);
    ready();
    char text[10];
    ssize_t got = read(answers[0], text, sizeof text);
    check(got == 4 && memcmp(text, "late", 4) == 0, "the blocked read returned %zd", got);
    check(now_ns() - run_started >= (int64_t)((run_seconds - 0.2) * SECOND), "the read ended early");
    uint8_t *data = malloc(8 * 64 * KB);
    for (int i = 0; i < 8; i++) pattern_fill(data + i * 64 * KB, 64 * KB, 4);
    write_all(bulk[1], data, 8 * 64 * KB, "the bulk pipe"); /* one blocking write of half a megabyte */
    close(bulk[1]);
    helper_ends(pid);
    return finish("blocked calls end when they should");
}
