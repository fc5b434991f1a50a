/* A storm of forks: a tree of processes in each round, all of them busy at once; each node's result is the sum of its
 * children's and its own, handed up through pipes and exit statuses. */
#include "common.h"

#define DEPTH 4

/* The number of nodes of a binary tree of this depth, counted by as many processes. */
static int count(int depth)
{
    int pipes[2][2];
    pid_t pids[2];
    if (depth == 0) {
        burn();
        return 1;
    }
    for (int i = 0; i < 2; i++) {
        check(pipe(pipes[i]) == 0, "pipe");
        pids[i] = fork();
        check(pids[i] >= 0, "fork");
        if (pids[i] == 0) {
            close(pipes[i][0]);
            int nodes = count(depth - 1);
            write_all(pipes[i][1], &nodes, sizeof nodes, "the pipe");
            _exit(nodes);
        }
        close(pipes[i][1]);
    }
    int sum = 1;
    for (int i = 0; i < 2; i++) {
        int nodes, status;
        read_all(pipes[i][0], &nodes, sizeof nodes, "the pipe");
        close(pipes[i][0]);
        check(waitpid(pids[i], &status, 0) == pids[i], "waitpid");
        check(WIFEXITED(status) && WEXITSTATUS(status) == nodes, "wait status %#x, %d nodes", status, nodes);
        sum += nodes;
    }
    return sum;
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    ready();
    while (working()) check(count(DEPTH) == (2 << DEPTH) - 1, "nodes are missing");
    return finish("all counted");
}
