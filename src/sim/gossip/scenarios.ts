/** The scenarios of gossip, each with the figures that it has to reach. */
import { DEFAULTS, type Tunables } from '../../gossip/tunables.ts';
import { STATE } from '../../gossip/member_state.ts';
import { Random } from '../random.ts';
import type { Outcome, Scenario, ScenarioOptions } from './scenario.ts';
import { Checkers } from './checkers.ts';
import { ENTRY_BYTES, ENVELOPE_BYTES, GossipCluster, HEADER_BYTES } from './cluster.ts';
import { expectedAges } from './formulas.ts';
import { agesOf, plainAges } from './plain.ts';
import { Starvation } from './starved.ts';

const LAN = { loss: 0, minDelayMs: 0.2, maxDelayMs: 2 };
const LOSSY = { ...LAN, loss: 0.01 };
/** Bytes of a plain message but for its entries, and of an entry with what identifies it. */
const PLAIN_HEAD = 17;
const PLAIN_ENTRY = ENTRY_BYTES + 17;

export const gossipScenarios: Readonly<Record<string, Scenario>> = {
  plain: { about: 'plain gossip against the formulas for the age of the vector', nodes: 1000, seconds: 0, run: plain },
  ages: { about: 'our exchange against plain gossip at equal bytes', nodes: 1000, seconds: 600, run: ages },
  starved: {
    about: '1 % loss, 5 % starved nodes, real deaths now and then',
    nodes: 1000,
    seconds: 86_400,
    run: starved,
  },
  scale: { about: 'many nodes, and what that costs here', nodes: 10_000, seconds: 600, run: scale },
  idle: { about: 'bytes of a node that has nothing to tell', nodes: 100, seconds: 300, run: idle },
  partition: { about: 'two halves that lose each other for a minute', nodes: 200, seconds: 240, run: partition },
};

function plain({ nodes, seed, window }: ScenarioOptions): Outcome {
  const w = window || 16;
  const expected = expectedAges(nodes, w);
  const found = plainAges({ nodes, window: w, warmUp: Math.ceil(expected.max * 2.5), random: new Random(seed) });
  const off = Math.max(Math.abs(found.mean / expected.mean - 1), Math.abs(found.max / expected.max - 1));
  const figures = {
    window: w,
    mean: round(found.mean),
    expectedMean: round(expected.mean),
    max: round(found.max),
    expectedMax: round(expected.max),
    offPerCent: round(off * 100),
  };
  return { figures, broken: off > 0.1 ? ['plain gossip is more than 10 % off the formulas'] : [] };
}

function ages({ nodes, seed, seconds, window, progress }: ScenarioOptions): Outcome {
  const w = window || 16;
  const expected = expectedAges(nodes, w);
  const plainBytes = PLAIN_HEAD + w * PLAIN_ENTRY + ENVELOPE_BYTES;
  // As many entries as make no more bytes than plain gossip has, the questions of the failure detector with them.
  for (let ours = w - 2; ours > 2; ours -= 1) {
    const cluster = new GossipCluster({ nodes, seed, tunables: windowed(ours), network: LAN });
    cluster.run((seconds * 1000) / 2);
    const before = { bytes: cluster.bytes, datagrams: cluster.datagrams };
    const half = seconds / 2;
    const sum = { mean: 0, max: 0 };
    for (let i = 0; i < 10; i += 1) {
      cluster.run((half * 1000) / 10);
      const { mean, max } = agesOf(vectorsOf(cluster), cluster.now);
      sum.mean += mean / 10_000;
      sum.max += max / 10_000;
    }
    const perNode = (what: number): number => what / nodes / half;
    const headers = HEADER_BYTES * perNode(cluster.datagrams - before.datagrams);
    const bytes = perNode(cluster.bytes - before.bytes) - headers;
    const figures = {
      window: ours,
      bytes: round(bytes),
      withHeaders: round(bytes + headers),
      plainBytes,
      plainWithHeaders: plainBytes + HEADER_BYTES,
      mean: round(sum.mean),
      max: round(sum.max),
      meanShare: round(sum.mean / expected.mean),
      maxShare: round(sum.max / expected.max),
    };
    progress(figures);
    if (bytes > plainBytes) continue;
    const broken = [
      ...(figures.meanShare > 0.8 ? [`the mean age is ${figures.meanShare} of plain gossip's`] : []),
      ...(figures.maxShare > 0.5 ? [`the largest age is ${figures.maxShare} of plain gossip's`] : []),
    ];
    return { figures, broken };
  }
  return { figures: {}, broken: ['no window is small enough'] };
}

/** Seconds between two deaths, and until the machine comes back. */
const DEATH_EVERY = 60;
const BACK_AFTER = 30;
/** Mean milliseconds between two stalls of a starved node. */
const STALLS_APART = 30_000;

function starved({ nodes, seed, seconds, window, progress }: ScenarioOptions): Outcome {
  const checkers = new Checkers({ deathMs: 10_000 });
  const tunables = window > 0 ? windowed(window) : DEFAULTS;
  const cluster = new GossipCluster({ nodes, seed, tunables, network: LOSSY, onChange: checkers.onChange });
  checkers.watch(cluster);
  const starvation = new Starvation(cluster, { share: 0.05, longestMs: 5000, apartMs: STALLS_APART });
  let victim = -1;
  for (let second = 1; second <= seconds; second += 1) {
    for (let i = 0; i < 10; i += 1) {
      cluster.run(100);
      starvation.step();
    }
    checkers.look();
    if (second % DEATH_EVERY === 0) {
      victim = cluster.random.below(nodes);
      cluster.kill(victim);
      checkers.killed(victim);
    } else if (second % DEATH_EVERY === BACK_AFTER && victim >= 0) cluster.revive(victim, second + 10);
    if (second % 600 === 0)
      progress({ second, stalls: starvation.stalls, ...cost(cluster, second), ...checkers.result() });
  }
  const result = checkers.result();
  return {
    figures: { seconds, stalls: starvation.stalls, ...cost(cluster, seconds), ...result },
    broken: faults(result),
  };
}

function scale({ nodes, seed, seconds, window, progress }: ScenarioOptions): Outcome {
  const checkers = new Checkers({ deathMs: 12_000 });
  const tunables = window > 0 ? windowed(window) : DEFAULTS;
  const cluster = new GossipCluster({ nodes, seed, tunables, network: LOSSY, onChange: checkers.onChange });
  checkers.watch(cluster);
  for (let second = 1; second <= seconds; second += 1) {
    cluster.run(1000);
    checkers.look();
    if (second % 100 === 50) {
      const victim = cluster.random.below(nodes);
      cluster.kill(victim);
      checkers.killed(victim);
    }
    if (second % 60 === 0) progress({ second, ...cost(cluster, second), ...checkers.result() });
  }
  const result = checkers.result();
  const figures = { ...cost(cluster, seconds), ...result };
  const broken = [
    ...faults(result),
    ...(figures.cpuSeconds > 600 ? [`it took ${figures.cpuSeconds} s of CPU`] : []),
    ...(figures.residentMb > 4096 ? [`it took ${figures.residentMb} MB`] : []),
  ];
  return { figures, broken };
}

function idle({ nodes, seed, seconds, window }: ScenarioOptions): Outcome {
  const tunables = window > 0 ? windowed(window) : DEFAULTS;
  const cluster = new GossipCluster({ nodes, seed, tunables, network: LAN });
  cluster.run(seconds * 1000);
  const { mean, max } = agesOf(vectorsOf(cluster), cluster.now);
  const sent = round(cluster.bytes / nodes / seconds);
  // What one sends another receives: a node's interface sees both.
  const figures = { sent, sentAndReceived: 2 * sent, meanAge: round(mean / 1000), maxAge: round(max / 1000) };
  return { figures, broken: 2 * sent > 20_000 ? [`an idle node causes ${2 * sent} bytes a second`] : [] };
}

function partition({ nodes, seed, seconds }: ScenarioOptions): Outcome {
  const side = (slot: number): number => Number(slot >= nodes / 2);
  let isCut = false;
  const cut = (a: number, b: number): boolean => isCut && side(a) !== side(b);
  const checkers = new Checkers({ deathMs: 10_000 }, cut);
  const cluster = new GossipCluster({ nodes, seed, tunables: DEFAULTS, network: LOSSY, onChange: checkers.onChange });
  checkers.watch(cluster);
  cluster.run(30_000);
  isCut = true;
  cluster.partition(side);
  cluster.run(60_000);
  const apart = meanMembers(cluster);
  cluster.partition(() => 0);
  const healed = cluster.now;
  let whole = Infinity;
  while (cluster.now < seconds * 1000 && whole === Infinity) {
    cluster.run(500);
    if (meanMembers(cluster) === nodes) whole = cluster.now - healed;
  }
  isCut = false;
  cluster.run(20_000);
  const figures = {
    membersApart: apart,
    membersAfter: meanMembers(cluster),
    mergeSeconds: whole / 1000,
    ...checkers.result(),
  };
  const broken = [
    ...(apart === nodes / 2 ? [] : [`${apart} members in the mean while cut in halves`]),
    ...(whole <= 60_000 ? [] : ['the halves did not merge within a minute']),
    ...faults(checkers.result()),
  ];
  return { figures, broken };
}

function windowed(window: number): Tunables {
  return { ...DEFAULTS, minWindow: window, maxWindow: window };
}

function vectorsOf(cluster: GossipCluster): GossipCluster['machines'][number]['gossiper']['vector'][] {
  return cluster.machines.map(({ gossiper }) => gossiper.vector);
}

/** How many members a node sees that take part and are not suspected, in the mean. */
function meanMembers(cluster: GossipCluster): number {
  const counts = vectorsOf(cluster).map(({ state }) =>
    state.reduce((sum, each) => sum + Number(each === STATE.alive), 0),
  );
  return counts.reduce((sum, each) => sum + each, 0) / counts.length;
}

function faults({ wrongDeaths, lateDeaths }: { wrongDeaths: number; lateDeaths: number }): string[] {
  return [
    ...(wrongDeaths > 0 ? [`nodes that ran were declared dead ${wrongDeaths} times`] : []),
    ...(lateDeaths > 0 ? [`${lateDeaths} deaths were not known to all in time`] : []),
  ];
}

function cost(
  cluster: GossipCluster,
  seconds: number,
): { cpuSeconds: number; residentMb: number; bytesPerSecond: number } {
  const { user, system } = process.cpuUsage();
  return {
    cpuSeconds: round((user + system) / 1e6),
    residentMb: Math.round(process.resourceUsage().maxRSS / 1024),
    bytesPerSecond: round(cluster.bytes / cluster.machines.length / seconds),
  };
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
