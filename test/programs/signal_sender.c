/* Another process sends signals while the program computes: each arrives exactly once, in order, with the sender's
 * siginfo. The sender waits for an answer before it sends the next. */
#include "common.h"

static int answers[2];
static volatile int received;
static pid_t sender;

static void send_signals(void)
{
    close(answers[1]);
    for (int n = 1;; n++) {
        if (n % 2) sigqueue(getppid(), SIGRTMIN + 1, (union sigval){ .sival_int = n });
        else kill(getppid(), SIGUSR1);
        int answered;
        if (read(answers[0], &answered, sizeof answered) != sizeof answered) return;
        check(answered == n, "answer %d instead of %d", answered, n);
        usleep(2000);
    }
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    (void)context;
    int n = received + 1;
    check(number == (n % 2 ? SIGRTMIN + 1 : SIGUSR1), "signal %d came as number %d", number, n);
    check(info->si_code == (n % 2 ? SI_QUEUE : SI_USER), "si_code is %d", info->si_code);
    check(info->si_pid == sender && info->si_uid == getuid(), "the sender is %d", info->si_pid);
    if (n % 2) check(info->si_value.sival_int == n, "value %d instead of %d", info->si_value.sival_int, n);
    received = n;
    check(write(answers[1], &n, sizeof n) == sizeof n, "write of the answer");
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    check(pipe(answers) == 0, "pipe");
    sigset_t both = set_of(SIGUSR1, SIGRTMIN + 1, 0);
    struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART, .sa_mask = both };
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGRTMIN + 1, &action, NULL);
    sigprocmask(SIG_BLOCK, &both, NULL);
    sender = helper(send_signals);
    close(answers[0]);
    sigprocmask(SIG_UNBLOCK, &both, NULL);
    ready();
    while (working()) {
        int before = received;
        for (int i = 0; i < 3 || (received == before && i < 1000); i++) burn();
        check(received > before, "no signal arrived in a thousand burns");
    }
    sigprocmask(SIG_BLOCK, &both, NULL);
    close(answers[1]);
    helper_ends(sender);
    return finish("signals of another process arrive in order");
}
