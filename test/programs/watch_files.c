/* inotify: events of a directory with their names, cookies and counts, waited for and read in pieces. */
#include "common.h"
#include <poll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

static int watcher, directory_watch;

struct seen {
    uint32_t mask, cookie;
    char name[32];
};

/* Reads all events that wait, with room for about three at a time. */
static int events(struct seen *out, int most)
{
    char room[3 * (sizeof(struct inotify_event) + 32)] __attribute__((aligned(8)));
    int count = 0;
    for (;;) {
        ssize_t n = read(watcher, room, sizeof room);
        if (n < 0 && errno == EAGAIN) return count;
        check(n > 0, "read of events");
        for (char *at = room; at < room + n;) {
            struct inotify_event *event = (struct inotify_event *)at;
            check(count < most, "too many events");
            check(event->wd == directory_watch, "an event of watch %d", event->wd);
            out[count].mask = event->mask, out[count].cookie = event->cookie;
            snprintf(out[count++].name, sizeof out->name, "%s", event->len ? event->name : "");
            at += sizeof *event + event->len;
        }
    }
}

static void expect(const struct seen *got, uint32_t mask, const char *name)
{
    check(got->mask == mask && strcmp(got->name, name) == 0, "event %#x of %s instead of %#x of %s", got->mask, got->name, mask, name);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    check(mkdir("watched", 0755) == 0, "mkdir");
    watcher = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    check(watcher >= 0, "inotify_init1");
    directory_watch = inotify_add_watch(watcher, "watched", IN_CREATE | IN_CLOSE_WRITE | IN_MOVE | IN_DELETE | IN_ATTRIB);
    check(directory_watch > 0, "inotify_add_watch");
    ready();
    while (working()) {
        struct seen seen[12];
        struct pollfd waiting = { .fd = watcher, .events = POLLIN };
        check(poll(&waiting, 1, 0) == 0 && events(seen, 12) == 0, "events of nothing");
        int fd = open("watched/one", O_WRONLY | O_CREAT, 0600);
        check(fd >= 0 && write(fd, "x", 1) == 1 && close(fd) == 0 && chmod("watched/one", 0644) == 0, "open");
        check(rename("watched/one", "watched/a longer name") == 0 && unlink("watched/a longer name") == 0, "rename");
        check(poll(&waiting, 1, 1000) == 1 && waiting.revents == POLLIN, "poll for events");
        int bytes = 0;
        check(ioctl(watcher, FIONREAD, &bytes) == 0 && bytes == 6 * 16 + 4 * 16 + 2 * 16, "FIONREAD says %d", bytes);
        int count = events(seen, 12);
        check(count == 6, "%d events", count);
        expect(&seen[0], IN_CREATE, "one");
        expect(&seen[1], IN_CLOSE_WRITE, "one");
        expect(&seen[2], IN_ATTRIB, "one");
        expect(&seen[3], IN_MOVED_FROM, "one");
        expect(&seen[4], IN_MOVED_TO, "a longer name");
        expect(&seen[5], IN_DELETE, "a longer name");
        check(seen[3].cookie == seen[4].cookie && seen[3].cookie != 0, "cookies %u and %u", seen[3].cookie, seen[4].cookie);
        check(read(watcher, seen, 3) < 0 && (errno == EINVAL || errno == EAGAIN), "read with too little room");
        int other = inotify_add_watch(watcher, ".", IN_DELETE_SELF);
        check(other > 0 && other != directory_watch && inotify_rm_watch(watcher, other) == 0, "inotify_rm_watch");
        struct inotify_event gone;
        check(read(watcher, &gone, sizeof gone) == sizeof gone && gone.mask == IN_IGNORED && gone.wd == other, "no word of the end of a watch");
        check(inotify_rm_watch(watcher, 12345) < 0 && errno == EINVAL, "a watch that is none was removed");
        burn();
    }
    return finish("every event came, with its name");
}
