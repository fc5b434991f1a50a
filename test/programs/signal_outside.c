/* The runner sends SIGUSR1 now and then: each one runs the handler once, told as sent by kill from another process. The
 * sender is far enough apart that none merge; how many came is the result. */
#include "common.h"

static volatile int count;

static void on_signal(int n, siginfo_t *info, void *context)
{
    (void)context;
    check(n == SIGUSR1 && info->si_code == SI_USER && info->si_pid != getpid(), "siginfo: code %d", info->si_code);
    check(info->si_uid == getuid() || info->si_uid == 0, "sent by user %d", info->si_uid);
    count++;
    burn();
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    char result[60];
    handle(SIGUSR1, on_signal, SA_RESTART);
    ready();
    while (working()) burn();
    /* The last was sent at nine tenths of the time; on a loaded machine it may come later. */
    for (int64_t began = now_ns(); count < 7 && now_ns() - began < 2 * SECOND;) burn();
    snprintf(result, sizeof result, "%d signals from outside", count);
    return finish(result);
}
