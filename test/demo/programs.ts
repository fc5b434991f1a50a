/** What the demo runs: programs that every Debian has, and two more where they are present. A few seconds of CPU each. */
import { existsSync } from 'node:fs';
import type { Case } from '../suite/case.ts';

const common = { packages: [], schedule: 'early', shareAway: 0 } as const;

/** Lines of words, common ones more often, and a number; the same in every run. */
const text = (lines: number): string => `perl -e '
  srand(7);
  my @words = map { join "", map { chr(97 + rand 26) } 0 .. 2 + rand 8 } 1 .. 20000;
  for (1 .. ${lines}) { print join(" ", map { $words[20000 * rand() ** 14] } 1 .. 6), " ", int(rand 1e9), "\\n" }
' > in`;

const programs: readonly Case[] = [
  {
    ...common,
    name: 'perl',
    hide: ['/usr/bin/perl*', '/usr/lib/*/perl*', '/usr/share/perl*'],
    prepare: `cat > count.pl <<'END'
my (%h, $t); my $x = 42;
for my $i (1 .. 9000000) { $x = ($x * 1103515245 + 12345) & 0x7fffffff; $h{$x % 200003} += $x & 255; $t .= chr(97 + $x % 26) if $i % 3 == 0 }
my $c = 0; for (1 .. 50) { $c++ while $t =~ /[aeiou][^aeiou]{2}[xyz]/g }
my $s = 0; $s += $_ for values %h; print "$c $s ", scalar(keys %h), "\\n";
END`,
    command: ['/usr/bin/perl', 'count.pl'],
    verify: { file: 'stdout' },
  },
  {
    ...common,
    name: 'gzip',
    hide: ['/usr/bin/gzip'],
    prepare: text(1_000_000),
    command: ['/usr/bin/gzip', '-9', '-n', '-k', '-f', 'in'],
    verify: { file: 'in.gz' },
  },
  {
    ...common,
    name: 'sort',
    hide: [],
    prepare: text(2_600_000),
    command: ['/usr/bin/sort', '--parallel=4', '-S', '400M', '-V', 'in'],
    verify: { file: 'stdout' },
  },
  {
    ...common,
    name: 'python3',
    hide: ['/usr/bin/python3*', '/usr/lib/python3*'],
    prepare: `cat > sieve.py <<'END'
d = {}
x = 12345
for i in range(9000000):
    x = (x * 1103515245 + 12345) & 0x7fffffff
    d[x % 300007] = d.get(x % 300007, 0) + (x >> 7)
    if i % 1000000 == 0: print(i, x, flush=True)
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
print(len(d), sum(d.values()), fib(31))
END`,
    command: ['/usr/bin/python3', 'sieve.py'],
    verify: { file: 'stdout' },
  },
  {
    ...common,
    name: 'xz',
    hide: ['/usr/bin/xz'],
    prepare: text(200_000),
    command: ['/usr/bin/xz', '-T1', '-6', '-k', '-f', 'in'],
    verify: { file: 'in.xz' },
  },
];

/** Those that this machine has. */
export function presentPrograms(): Case[] {
  return programs.filter(({ command }) => existsSync(command[0]));
}
