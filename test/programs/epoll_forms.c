/* epoll in all its forms: level and edge, one shot, exclusive, nested, data of any value, many events at once, waits with
 * nanoseconds, and descriptors that are closed or duplicated meanwhile. */
#include "common.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>

#define PIPES 60

static int pipes[PIPES][2], many, forms, outer;
static volatile int nothing;

static void add(int epoll, int fd, uint32_t events, uint64_t data)
{
    struct epoll_event event = { .events = events, .data.u64 = data };
    check(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0, "EPOLL_CTL_ADD");
}

static uint64_t value_of(int i) { return 0xfedcba9876543210u * (i + 1) ^ (uint64_t)i; }

/* All at once and a few at a time; each event with its own data. */
static void several(unsigned seed)
{
    struct epoll_event events[PIPES + 10];
    bool wanted[PIPES] = { false };
    int count = 0;
    for (int i = 0; i < PIPES; i++) {
        wanted[i] = (i * 7 + seed) % 3 == 0;
        count += wanted[i];
        check(!wanted[i] || write(pipes[i][1], "x", 1) == 1, "write");
    }
    memset(events, 0x77, sizeof events);
    int got = epoll_wait(many, events, PIPES + 10, 1000);
    check(got == count, "%d events instead of %d", got, count);
    for (int k = 0; k < got; k++) {
        int i = 0;
        while (i < PIPES && value_of(i) != events[k].data.u64) i++;
        check(i < PIPES && wanted[i] && events[k].events == EPOLLIN, "an event %#x with data %#lx", events[k].events, (unsigned long)events[k].data.u64);
        wanted[i] = false;
        check(read(pipes[i][0], &(char){ 0 }, 1) == 1, "read");
    }
    for (size_t k = got * sizeof *events; k < sizeof events; k++) check(((uint8_t *)events)[k] == 0x77, "byte %zu behind the events was written", k);
    check(epoll_wait(many, events, 1, 0) == 0, "events that were dealt with came again");
}

static int wait_for(int epoll, struct epoll_event *event, long microseconds)
{
    struct timespec time = timespec_of(microseconds * 1000);
    return syscall(SYS_epoll_pwait2, epoll, event, 1, &time, NULL, 8);
}

static void each_form(void)
{
    struct epoll_event event;
    int counter = eventfd(0, EFD_NONBLOCK);
    check(counter >= 0, "eventfd");
    add(forms, counter, EPOLLIN | EPOLLET, 1);
    check(write(counter, &(uint64_t){ 1 }, 8) == 8 && wait_for(forms, &event, 0) == 1, "an edge");
    check(wait_for(forms, &event, 0) == 0, "the same edge twice");
    check(write(counter, &(uint64_t){ 1 }, 8) == 8 && wait_for(forms, &event, 0) == 1, "another edge");
    event = (struct epoll_event){ .events = EPOLLIN | EPOLLONESHOT, .data.u64 = 2 };
    check(epoll_ctl(forms, EPOLL_CTL_MOD, counter, &event) == 0 && wait_for(forms, &event, 0) == 1 && event.data.u64 == 2, "one shot");
    check(wait_for(forms, &event, 0) == 0, "a second shot");
    check(epoll_ctl(forms, EPOLL_CTL_ADD, counter, &event) < 0 && errno == EEXIST, "added twice");
    check(epoll_ctl(forms, EPOLL_CTL_DEL, counter, NULL) == 0, "EPOLL_CTL_DEL");
    add(forms, counter, EPOLLIN | EPOLLEXCLUSIVE, 3);
    check(wait_for(forms, &event, 0) == 1 && event.data.u64 == 3, "exclusive");
    event.events = EPOLLIN;
    check(epoll_ctl(forms, EPOLL_CTL_MOD, counter, &event) < 0 && errno == EINVAL, "an exclusive one was changed");
    /* Nested: the outer one is ready because the inner one is. */
    check(wait_for(outer, &event, 0) == 1 && event.data.u64 == 4, "nested");
    int again = dup(counter);
    check(again >= 0 && close(counter) == 0 && wait_for(forms, &event, 0) == 1, "the open file is still there");
    check(close(again) == 0 && wait_for(forms, &event, 0) == 0 && wait_for(outer, &event, 0) == 0, "a closed file is ready");
    check(epoll_ctl(forms, EPOLL_CTL_DEL, again, NULL) < 0 && errno == EBADF, "EPOLL_CTL_DEL of nothing");
    check(epoll_ctl(forms, EPOLL_CTL_ADD, forms, &event) < 0 && errno == EINVAL, "an epoll in itself");
    int file = open(".", O_RDONLY);
    check(file >= 0 && epoll_ctl(forms, EPOLL_CTL_ADD, file, &event) < 0 && errno == EPERM && close(file) == 0, "a directory in an epoll");
    int64_t began = now_ns();
    check(wait_for(forms, &event, 7300) == 0 && now_ns() - began >= 7300000, "epoll_pwait2 ended early");
    check(epoll_wait(forms, &event, 0, 0) < 0 && errno == EINVAL && epoll_wait(forms, &event, nothing - 1, 0) < 0 && errno == EINVAL, "room for no events");
    check(epoll_wait(0, &event, 1, 0) < 0 && errno == EINVAL, "epoll_wait of another file");
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    many = epoll_create1(EPOLL_CLOEXEC), forms = epoll_create(1), outer = epoll_create1(0);
    check(many >= 0 && forms >= 0 && outer >= 0, "epoll_create");
    add(outer, forms, EPOLLIN, 4);
    for (int i = 0; i < PIPES; i++) {
        check(pipe(pipes[i]) == 0, "pipe");
        add(many, pipes[i][0], EPOLLIN, value_of(i));
    }
    ready();
    for (unsigned round = 0; working(); round++) {
        several(round);
        each_form();
        burn();
    }
    return finish("every event came once, with its own data");
}
