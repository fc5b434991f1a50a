/* A file that is read in many small pieces: every byte is what a read at home would give, and the position is the
 * program's own for whoever looks at it: a duplicate, a child, another thread, a writer that comes in between. */
#include "common.h"

#define SIZE (3 * MB + 777)
#define PIECE 1000

static int fd, commands[2], answers[2];

/* At home all the time: changes one byte of the file at the offset that it is told. */
static void change_bytes(void)
{
    int64_t offset;
    close(commands[1]);
    while (read(commands[0], &offset, sizeof offset) == sizeof offset) {
        int own = open("data", O_WRONLY | O_CLOEXEC);
        char byte = 'X';
        check(own >= 0 && pwrite(own, &byte, 1, offset) == 1 && close(own) == 0, "write of the helper");
        write_all(answers[1], &byte, 1, "answers");
    }
}

static void told_to_change(int64_t offset)
{
    char byte;
    write_all(commands[1], &offset, sizeof offset, "commands");
    read_all(answers[0], &byte, 1, "answers");
}

static void piece(int from, int64_t offset, size_t length)
{
    uint8_t bytes[PIECE];
    ssize_t n = read(from, bytes, length);
    check(n == (ssize_t)length, "read at %ld returned %zd of %zu", offset, n, length);
    for (size_t i = 0; i < length; i++)
        check(bytes[i] == pattern_byte(offset + i, 5), "byte %ld is %u", offset + i, bytes[i]);
}

/* Reads on for so many pieces, and now and then asks where it is. */
static int64_t read_on(int64_t offset, int pieces)
{
    for (int i = 0; i < pieces; i++) {
        piece(fd, offset, PIECE - i % 7);
        offset += PIECE - i % 7;
        if (i % 3 == 0) check(lseek(fd, 0, SEEK_CUR) == offset, "position after a read");
    }
    return offset;
}

static int64_t go_to(int64_t offset)
{
    check(lseek(fd, offset, SEEK_SET) == offset, "lseek to %ld", offset);
    return offset;
}

static void to_the_end(void)
{
    uint8_t bytes[PIECE];
    check(lseek(fd, -500, SEEK_END) == SIZE - 500, "lseek from the end");
    check(read(fd, bytes, PIECE) == 500 && bytes[499] == pattern_byte(SIZE - 1, 5), "the last bytes");
    check(read(fd, bytes, PIECE) == 0 && lseek(fd, 0, SEEK_CUR) == SIZE, "the end");
    check(lseek(fd, -1, SEEK_SET) == -1 && errno == EINVAL, "lseek before the beginning");
    check(lseek(fd, 10, SEEK_END) == SIZE + 10 && read(fd, bytes, PIECE) == 0, "beyond the end");
}

/* Whoever has the same open file has the same position. */
static int64_t with_others(int64_t offset)
{
    int twin = dup(fd);
    check(twin >= 0 && lseek(twin, 0, SEEK_CUR) == offset, "position of a duplicate");
    piece(twin, offset, PIECE);
    offset = read_on(offset + PIECE, 40);
    check(lseek(twin, 0, SEEK_CUR) == offset && close(twin) == 0, "the duplicate went along");
    pid_t pid = fork();
    check(pid >= 0, "fork");
    if (pid == 0) {
        read_on(offset, 40);
        _exit(0);
    }
    helper_ends(pid);
    offset = lseek(fd, 0, SEEK_CUR);
    piece(fd, offset, PIECE);
    return read_on(offset + PIECE, 40);
}

static int64_t shared_offset;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *read_in_turn(void *argument)
{
    (void)argument;
    for (int i = 0; i < 60; i++) {
        pthread_mutex_lock(&lock);
        piece(fd, shared_offset, PIECE);
        shared_offset += PIECE;
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

/* Two threads read at once: nothing is read twice, and nothing is left out. */
static void *read_at_once(void *argument)
{
    uint8_t bytes[64];
    int64_t *sum = argument;
    for (int i = 0; i < 300; i++) {
        check(read(fd, bytes, sizeof bytes) == sizeof bytes, "read at once");
        for (size_t k = 0; k < sizeof bytes; k++) *sum += bytes[k];
    }
    return NULL;
}

static void with_threads(void)
{
    pthread_t threads[2];
    int64_t sums[2] = { 0, 0 }, wanted = 0, begin = go_to(1000);
    shared_offset = begin;
    for (int i = 0; i < 2; i++) thread_start(&threads[i], read_in_turn, NULL);
    for (int i = 0; i < 2; i++) thread_result(threads[i]);
    begin = shared_offset;
    check(lseek(fd, 0, SEEK_CUR) == begin, "position after two threads");
    for (int i = 0; i < 2; i++) thread_start(&threads[i], read_at_once, &sums[i]);
    for (int i = 0; i < 2; i++) thread_result(threads[i]);
    for (int64_t i = begin; i < begin + 2 * 300 * 64; i++) wanted += pattern_byte(i, 5);
    check(sums[0] + sums[1] == wanted, "two threads read %ld, not %ld", sums[0] + sums[1], wanted);
    check(lseek(fd, 0, SEEK_CUR) == begin + 2 * 300 * 64, "position after both");
}

/* What is written in between, by another process or the program itself, is read. */
static void with_writers(int own)
{
    uint8_t byte, old;
    int64_t offset = read_on(go_to(2000), 60);
    int64_t target = offset + 3 * PIECE - 3; /* where the three reads below end */
    if (own) {
        int second = open("data", O_RDWR | O_CLOEXEC);
        check(second >= 0 && pwrite(second, "X", 1, target) == 1 && close(second) == 0, "own write");
    } else
        told_to_change(target);
    offset = read_on(offset, 3);
    check(read(fd, &byte, 1) == 1 && byte == 'X', "byte %ld is %u: it was written before", target, byte);
    old = pattern_byte(target, 5);
    int second = open("data", O_WRONLY | O_CLOEXEC);
    check(second >= 0 && pwrite(second, &old, 1, target) == 1 && close(second) == 0, "write it back");
}

static void into_bad_memory(int64_t offset)
{
    char *wall = map_anonymous(2 * PAGE, PROT_READ | PROT_WRITE);
    check(mprotect(wall + PAGE, PAGE, PROT_NONE) == 0, "mprotect");
    go_to(offset);
    offset = read_on(offset, 40);
    check(read(fd, wall + PAGE, 10) == -1 && errno == EFAULT, "read into nothing");
    check(lseek(fd, 0, SEEK_CUR) == offset, "nothing was read");
    check(munmap(wall, 2 * PAGE) == 0, "munmap");
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    check(close(pattern_file("data", SIZE, 5)) == 0, "close");
    check(pipe2(commands, O_CLOEXEC) == 0 && pipe2(answers, O_CLOEXEC) == 0, "pipe");
    pid_t changer = helper(change_bytes);
    close(commands[0]);
    fd = open("data", O_RDONLY | O_CLOEXEC);
    check(fd >= 0, "open");
    ready();
    for (unsigned round = 0; working(); round++) {
        int64_t offset = read_on(go_to(round * 4096 % MB), 400);
        with_others(offset);
        into_bad_memory(1234);
        with_threads();
        with_writers(round % 2);
        to_the_end();
        burn();
    }
    close(commands[1]);
    helper_ends(changer);
    return finish("small reads");
}
