/* A grandchild whose parent ends goes on, with another parent that is not the one that it had; everybody who is left
 * can still talk to it, and it ends after its grandparent has seen it work. */
#include "common.h"

/* The grandparent's word that it has looked: until then the orphan stays. */
static int seen[2];

static void grandchild(pid_t parent, int out)
{
    char word;
    for (int i = 0; i < 2000 && getppid() == parent; i++) burn();
    pid_t foster = getppid();
    check(foster != parent && foster != getpid(), "the orphan's parent is %d", (int)foster);
    for (int i = 0; i < 10; i++) burn();
    pid_t self = getpid();
    write_all(out, &self, sizeof self, "the pipe");
    close(seen[1]);
    check(read(seen[0], &word, 1) == 1, "the grandparent's word");
    _exit(0);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    ready();
    while (working()) {
        int ends[2], status;
        check(pipe(ends) == 0 && pipe(seen) == 0, "pipe");
        pid_t child = fork();
        check(child >= 0, "fork");
        if (child == 0) {
            pid_t self = getpid();
            pid_t pid = fork();
            check(pid >= 0, "fork in the child");
            if (pid == 0) grandchild(self, ends[1]);
            write_all(ends[1], &pid, sizeof pid, "the pipe");
            _exit(3);
        }
        close(ends[1]);
        close(seen[0]);
        pid_t announced, said;
        read_all(ends[0], &announced, sizeof announced, "the pipe");
        check(waitpid(child, &status, 0) == child && status == 3 << 8, "the child's status %#x", status);
        check(kill(announced, 0) == 0, "the orphan has gone too early");
        check(waitpid(announced, &status, WNOHANG) == -1 && errno == ECHILD, "the orphan became a child");
        read_all(ends[0], &said, sizeof said, "the pipe");
        check(said == announced, "the orphan says %d, its parent said %d", (int)said, (int)announced);
        write_all(seen[1], "x", 1, "the pipe");
        close(seen[1]);
        check(read(ends[0], &said, 1) == 0, "somebody still holds the pipe");
        close(ends[0]);
    }
    return finish("orphans worked");
}
