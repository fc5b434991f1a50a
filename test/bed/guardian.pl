# Starts one program inside a host and reports how it ended. Run by `nsenter --no-fork`, so it is still in the
# machine's pid namespace while its children are in the host's: fork() tells us the program's outer pid.
#
# usage: perl -e TEXT SETSID UID DIRECTORY PROGRAM [ARGUMENT...]
#        SETSID is that system call's number; descriptor 3 receives "pid N" and later "exit WAITSTATUS".
#
# nsenter and unshare can wait for a child as well, but they stop themselves when the child stops, and nobody
# would wake them when a debugger or shell inside the host continues it. We just wait for its end.
use strict;

delete $ENV{PERL_BADLANG};
my ($setsid, $uid, $directory) = splice(@ARGV, 0, 3);
open(my $status, '>&=', 3) or exit 125;
fcntl($status, 2, 1);        # F_SETFD, FD_CLOEXEC
pipe(my $started, my $exec); # closed by a successful exec

sub fail {
    my ($what, $code) = @_;
    syswrite(STDERR, "Cannot $what: $!\n");
    exit $code;
}

my $pid = fork();
defined $pid or fail('fork', 125);
if ($pid == 0) {
    close $started;
    syscall($setsid + 0);
    chdir($directory) or fail("enter $directory", 125);
    if ($uid != 0) {
        $( = $uid;
        $) = "$uid $uid"; # also empties the supplementary groups
        ($<, $>) = ($uid, $uid);
        ($< == $uid && $> == $uid) or fail("become user $uid", 125);
    }
    { no warnings; exec { $ARGV[0] } @ARGV; }
    fail("run $ARGV[0]", $! == 2 ? 127 : 126); # ENOENT
}
close $exec;
readline($started); # end of file: the program runs, or has failed to
syswrite($status, "pid $pid\n");
waitpid($pid, 0);
syswrite($status, "exit $?\n");
