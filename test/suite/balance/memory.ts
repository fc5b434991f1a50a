/**
 * A host whose memory runs short sheds a process before the kernel has to end one: the smallest one that suffices, and then its
 * memory is free again at home.
 */
import { readFileSync } from 'node:fs';
import type { Cluster } from '../../bed/cluster.ts';
import type { HostProcess } from '../../bed/host_process.ts';
import { anonymousMemory, statusField } from '../../system/support.ts';
import { until } from '../../bed/wait.ts';
import { balancedCluster, type Verdict } from './setting.ts';

const MB = 1 << 20;
const LIMIT_MB = 900;
const SIZES_MB = [40, 150, 90];
/** What grows: so many megabytes a second, until the limit would be passed. */
const GROWTH_MB = 15;
const TIMEOUT_MS = 120_000;

/** Holds megabytes of memory, each with a word of its own; with a growth it takes one after the other, and ends when told. */
const HOLD = `
  my ($mb, $per_second, $file) = @ARGV;
  my @all;
  $| = 1;
  for my $i (1 .. $mb) {
    push @all, pack('N', $i) x (1 << 18);
    select undef, undef, undef, 1 / $per_second if $per_second;
  }
  print "held\\n";
  until (-e $file) { select undef, undef, undef, 0.05; }
  my $bad = grep { unpack('N', substr $all[$_ - 1], 4096, 4) != $_ } 1 .. $mb;
  print "bad $bad\\n";
`;
const END = '/tmp/memory.end';

interface Record {
  readonly pid: number;
  readonly kind: string;
  readonly why: string;
  readonly from: string;
}

export async function memory(): Promise<Verdict> {
  await using cluster = await balancedCluster([
    { name: 'home', memoryBytes: LIMIT_MB * MB },
    { name: 'n2' },
    { name: 'n3' },
  ]);
  const hold = (mb: number, perSecond: number): HostProcess =>
    cluster.mosrun(['perl', '-e', HOLD, String(mb), String(perSecond), END]);
  const still = SIZES_MB.map((mb) => hold(mb, 0));
  for (const one of still)
    await until(() => one.readStdout().includes('held'), { what: 'see memory held', timeoutMs: TIMEOUT_MS });
  // It goes up to what would not fit beside the others.
  const used = anonymousMemory(cluster.home.pid1) / MB;
  const growing = hold(Math.ceil(LIMIT_MB - used + 60), GROWTH_MB);
  const first = await until(() => firstShed(cluster), { what: 'see a process leave', timeoutMs: TIMEOUT_MS });
  const before = anonymousMemory(cluster.home.pid1);
  const told = /by (\d+) MB; this one has (\d+) MB/.exec(first.why);
  // Home has its memory back: what is left of the process there is a stub.
  const outside = cluster.home.outsidePidOf(first.pid) ?? 0;
  const resident = (): number => Number.parseInt(statusField(outside, 'VmRSS') ?? '0', 10) / 1024;
  const freed = until(() => resident() < 10, { what: 'see its memory given back', timeoutMs: 10_000 });
  const [short, size] = [Number(told?.[1]), Number(told?.[2])];
  await until(() => growing.readStdout().includes('held') || !growing.running, {
    what: 'see it grown',
    timeoutMs: TIMEOUT_MS,
  });
  const peak = anonymousMemory(cluster.home.pid1);
  await cluster.home.writeFile(END, '');
  const outputs = await Promise.all(
    [...still, growing].map(async (one) => {
      const { code, signal } = await one.wait(TIMEOUT_MS);
      return `${code ?? signal} ${one.readStdout().trim().split('\n').at(-1)}`;
    }),
  );
  const kills = oomKills(cluster);
  const smaller = SIZES_MB.filter((mb) => mb >= short && mb + 12 < size);
  const why = [
    kills > 0 ? `${kills} processes were OOM-killed` : '',
    outputs.every((one) => one === '0 bad 0') ? '' : `outputs ${outputs.join(', ')}`,
    (await freed.catch(() => undefined)) === undefined ? `it still has ${Math.round(resident())} MB at home` : '',
    smaller.length > 0 ? `${size} MB left, though ${smaller.join(' or ')} MB would have sufficed for ${short} MB` : '',
  ].filter((reason) => reason !== '');
  return {
    ok: why.length === 0,
    figures: { short, left: size, beforeMB: before / MB, peakMB: peak / MB, limitMB: LIMIT_MB, kills },
    why: why.join('; '),
  };
}

async function firstShed(cluster: Cluster): Promise<Record | undefined> {
  const { events } = (await cluster.request(cluster.home, 'decisions')) as { events: Record[] };
  return events.find(
    ({ kind, why, from }) => kind === 'moved' && from === 'home' && why.includes('runs short of memory'),
  );
}

/** As the memory controller of the home host counts them. */
function oomKills({ home }: Cluster): number {
  const groups = readFileSync(`/proc/${home.pid1}/cgroup`, 'latin1');
  const first = /^\d+:memory:(.*)$/m.exec(groups)?.[1];
  const file =
    first === undefined
      ? `/sys/fs/cgroup${/^0::(.*?)(\/init)?$/m.exec(groups)?.[1]}/memory.events`
      : `/sys/fs/cgroup/memory${first}/memory.oom_control`;
  return Number(/^oom_kill (\d+)$/m.exec(readFileSync(file, 'latin1'))?.[1] ?? 0);
}
