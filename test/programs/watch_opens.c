/* fanotify: events about a directory's files, each with a descriptor for the file, which is open in this process. */
#include "common.h"
#include <poll.h>
#include <sys/fanotify.h>
#include <sys/stat.h>

static int watcher;

int main(int argc, char **argv)
{
    begin(argc, argv);
    check(mkdir("watched", 0755) == 0, "mkdir");
    watcher = fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK | FAN_CLOEXEC, O_RDONLY);
    check(watcher >= 0, "fanotify_init");
    check(fanotify_mark(watcher, FAN_MARK_ADD, FAN_CLOSE_WRITE | FAN_EVENT_ON_CHILD, AT_FDCWD, "watched") == 0, "fanotify_mark");
    ready();
    for (unsigned round = 0; working(); round++) {
        char text[32], got[32] = "";
        snprintf(text, sizeof text, "round %u", round);
        int fd = open("watched/file", O_WRONLY | O_CREAT | O_TRUNC, 0600);
        check(fd >= 0 && write(fd, text, strlen(text)) > 0 && close(fd) == 0, "write to a file");
        check(poll(&(struct pollfd){ .fd = watcher, .events = POLLIN }, 1, 1000) == 1, "poll");
        struct fanotify_event_metadata event[4];
        ssize_t n = read(watcher, event, sizeof event);
        check(n == sizeof event[0] && event[0].event_len == sizeof event[0] && event[0].vers == FANOTIFY_METADATA_VERSION, "read of events: %zd", n);
        check(event[0].mask == FAN_CLOSE_WRITE && event[0].pid == getpid(), "event %#llx of pid %d", (long long)event[0].mask, event[0].pid);
        check(read(event[0].fd, got, sizeof got - 1) == (ssize_t)strlen(text) && strcmp(got, text) == 0, "its descriptor reads %s", got);
        check(close(event[0].fd) == 0, "close");
        check(read(watcher, event, sizeof event) < 0 && errno == EAGAIN, "one event too many");
        check(fanotify_mark(watcher, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "no such directory") < 0 && errno == ENOENT, "a mark on nothing");
        burn();
    }
    return finish("every event came, with its file");
}
