# Runs a program on a pseudo-terminal of its own: input and output of this script are the terminal's other side.
# Arguments: the program. The first line of output is "pid N". "@resize ROWS COLUMNS\n" in the input changes the window,
# "@hangup\n" closes the terminal. Its size at first is $MOSIX_ROWS and $MOSIX_COLUMNS, or 24 and 80. Exits as the program did; 128 and the signal's number if one ended it.
use strict; use warnings;
$| = 1;
my ($TIOCSPTLCK, $TIOCGPTN, $TIOCSWINSZ, $TIOCSCTTY) = (0x40045431, 0x80045430, 0x5414, 0x540e);
open my $terminal, '+<', '/dev/ptmx' or die "Cannot open /dev/ptmx: $!";
my ($lock, $number) = (pack('i', 0), pack('i', 0));
ioctl $terminal, $TIOCSPTLCK, $lock or die "Cannot unlock the terminal: $!";
ioctl $terminal, $TIOCGPTN, $number or die "Cannot name the terminal: $!";
my $size = pack('S4', $ENV{MOSIX_ROWS} // 24, $ENV{MOSIX_COLUMNS} // 80, 0, 0);
ioctl $terminal, $TIOCSWINSZ, $size;
my $path = '/dev/pts/' . unpack('i', $number);
my $pid = fork;
if ($pid == 0) {
  require POSIX;
  POSIX::setsid();
  open my $own, '+<', $path or die "Cannot open $path: $!";
  ioctl $own, $TIOCSCTTY, 0;
  POSIX::dup2(fileno $own, $_) for 0 .. 2;
  close $terminal;
  exec @ARGV or die "Cannot run $ARGV[0]: $!";
}
syswrite STDOUT, "pid $pid\n";
for (;;) {
  my $ready = '';
  vec($ready, $_, 1) = 1 for 0, fileno $terminal;
  select $ready, undef, undef, undef;
  if (vec $ready, fileno($terminal), 1) {
    sysread($terminal, my $bytes, 4096) or last; # EIO: nobody has the terminal open any more
    syswrite STDOUT, $bytes;
  }
  if (vec $ready, 0, 1) {
    sysread(STDIN, my $bytes, 4096) or last;
    if ($bytes =~ s/\@resize (\d+) (\d+)\n//) {
      my $new = pack('S4', $1, $2, 0, 0);
      ioctl $terminal, $TIOCSWINSZ, $new;
    }
    last if $bytes =~ s/\@hangup\n//;
    syswrite $terminal, $bytes if length $bytes;
  }
}
close $terminal;
waitpid $pid, 0;
exit($? & 127 ? 128 + ($? & 127) : $? >> 8);
