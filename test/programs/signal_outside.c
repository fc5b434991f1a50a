/* The runner sends a real-time signal now and then: each one runs the handler once, told as sent by kill from another process.
 * How many came is the result. */
#include "common.h"

#define SIGNAL 40

static volatile int count;

static void on_signal(int n, siginfo_t *info, void *context)
{
    (void)context;
    check(n == SIGNAL && info->si_code == SI_USER && info->si_pid != getpid(), "siginfo: code %d", info->si_code);
    check(info->si_uid == getuid() || info->si_uid == 0, "sent by user %d", info->si_uid);
    count++;
    burn();
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    char result[60];
    handle(SIGNAL, on_signal, SA_RESTART);
    ready();
    while (working()) burn();
    /* The last was sent at nine tenths of the time; on a loaded machine it may come later. */
    for (int64_t began = now_ns(); count < 7 && now_ns() - began < 2 * SECOND;) burn();
    snprintf(result, sizeof result, "%d signals from outside", count);
    return finish(result);
}
