import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeEntry, NodeStatus } from '../gossip/entry.ts';
import { loadOf } from '../load/units.ts';
import { Admission, PROMISE_MS } from './admission.ts';
import { Balancer, type View } from './balancer.ts';
import type { Candidate } from './candidate.ts';
import type { Seen } from './site.ts';

const MB = 1 << 20;
const FREE: NodeStatus = {
  stay: false,
  lstay: false,
  block: false,
  hostingOnly: false,
  leaving: false,
  ownerPresent: false,
  engineDown: false,
};
const NONE = { callsPerSecond: 0, bytesPerSecond: 0 };

function entry(demand: number, more: Partial<NodeEntry> = {}): NodeEntry {
  const power = { speed: more.speed ?? 10_000, cpus: more.cpus ?? 1 };
  return {
    ...power,
    load: loadOf(power, demand),
    architecture: 'x64',
    cpuFeatures: new Uint8Array([0b111]),
    freeMemory: 3000 * MB,
    totalMemory: 4000 * MB,
    freeSwap: 0,
    totalSwap: 0,
    pressure: { cpu: 0, memory: 0, io: 0 },
    utilisation: 0,
    localIo: NONE,
    remoteIo: NONE,
    localIpc: NONE,
    remoteIpc: NONE,
    guests: 0,
    maxGuests: 65_535,
    away: 0,
    status: FREE,
    clockOffsetMs: 0,
    version: '',
    uptimeSeconds: 0,
    users: 0,
    ...more,
  };
}

function process(pid: number, more: Partial<Candidate> = {}): Candidate {
  return {
    pid,
    set: [pid],
    uid: 1000,
    where: 'home',
    demand: 1,
    cpus: 0.2,
    callsPerWork: 0,
    memoryBytes: 10 * MB,
    runnableMs: 10_000,
    wishes: {},
    ...more,
  };
}

const seen = (name: string, of: NodeEntry, ageMs = 0): Seen => ({ name, entry: of, ageMs, rttMs: 0.1 });

interface World {
  home: NodeEntry;
  nodes: Seen[];
  candidates: Candidate[];
}

function view({ home, nodes, candidates }: World): View {
  return { home: { name: 'home', entry: home }, nodes, candidates, alive: new Set(candidates.map(({ pid }) => pid)) };
}

function balancer(): { balancer: Balancer; pass: (ms: number) => void } {
  let now = 0;
  return { balancer: new Balancer({ now: () => now, random: () => 0.5 }), pass: (ms) => (now += ms) };
}

const many = (count: number): Candidate[] => Array.from({ length: count }, (_, index) => process(index + 1));

test('Balancer moves a process from a busy node to an idle one, and says what it gains', () => {
  const { proposal } = balancer().balancer.decide(
    view({ home: entry(4), nodes: [seen('n2', entry(0))], candidates: many(4) }),
  );
  assert.equal(proposal?.to, 'n2');
  assert.equal(proposal?.figures?.progressHere, 0.25);
  assert.equal(proposal?.figures?.progressThere, 1);
  assert.match(proposal?.why ?? '', /^on n2 it saves \d+ ms of the next 10000$/);
});

test('Balancer leaves even nodes alone, and short or idle programs', () => {
  const even = { home: entry(3), nodes: [seen('n2', entry(2))], candidates: many(3) };
  const { proposal, judgements } = balancer().balancer.decide(view(even));
  assert.equal(proposal, undefined);
  assert.match(judgements[0].why, /nowhere else it would be done sooner \(next best n2\)/);
  const idle = [process(1, { runnableMs: 500 }), process(2, { demand: 0.1 })];
  const other = balancer().balancer.decide(view({ home: entry(9), nodes: [seen('n2', entry(0))], candidates: idle }));
  assert.deepEqual(
    other.judgements.map(({ why }) => why),
    ['it has not computed for long enough yet', 'it does not compute'],
  );
});

test('Balancer prefers faster nodes, counts its own moves before others have told of them, and lets processes rest', () => {
  const { balancer: one, pass } = balancer();
  const nodes = [seen('slow', entry(0, { speed: 8_000 })), seen('fast', entry(0, { speed: 16_000 }))];
  const candidates = many(3);
  const first = one.decide(view({ home: entry(3), nodes, candidates })).proposal;
  assert.equal(first?.to, 'fast');
  pass(100);
  one.moved(first, { totalMs: 100, bytes: MB, askedAt: 0 });
  // The entries are as old as before: measured before the move.
  const old = nodes.map((node) => ({ ...node, ageMs: 200 }));
  const moved = candidates.map((each) => (each.pid === first?.candidate.pid ? { ...each, where: 'fast' } : each));
  const second = one.decide(view({ home: entry(2), nodes: old, candidates: moved }));
  // Half of the fast one is as good as the slow one alone; by chance it is the slow one.
  assert.ok(second.proposal !== undefined);
  assert.notEqual(second.proposal.candidate.pid, first?.candidate.pid);
  const resting = second.judgements.find(({ candidate }) => candidate.pid === first?.candidate.pid);
  assert.match(resting?.why ?? '', /^it came 0\.0 s ago and stays for/);
});

test('Balancer brings home what lives by calls, once it is away', () => {
  const away = process(7, { where: 'n2', callsPerWork: 30, demand: 0.2 });
  const { proposal } = balancer().balancer.decide(
    view({ home: entry(0.5), nodes: [seen('n2', entry(0.2))], candidates: [away] }),
  );
  assert.equal(proposal?.to, 'home');
});

test('Balancer never moves to a node that lacks features, is blocked, or is not among those wished for', () => {
  const closed = { ...FREE, block: true };
  const nodes = [
    seen('poor', entry(0, { cpuFeatures: new Uint8Array([0b011]) })),
    seen('blocked', entry(0, { status: closed })),
    seen('small', entry(0, { freeMemory: 250 * MB })),
    seen('other', entry(0)),
  ];
  const candidates = [process(1, { wishes: { notNodes: ['other'] }, memoryBytes: 100 * MB })];
  const { proposal, judgements } = balancer().balancer.decide(view({ home: entry(8), nodes, candidates }));
  assert.equal(proposal, undefined);
  const why = judgements[0].why;
  for (const part of [
    'poor: its CPUs lack',
    'blocked: it takes no guests',
    'small: it has too little',
    'other: the job is not',
  ])
    assert.ok(why.includes(part), why);
});

test('Balancer leaves everything where the owner says stay', () => {
  const status = { ...FREE, lstay: true };
  const { proposal, judgements } = balancer().balancer.decide(
    view({ home: entry(8, { status }), nodes: [seen('n2', entry(0))], candidates: many(2) }),
  );
  assert.equal(proposal, undefined);
  assert.match(judgements[0].why, /lets nothing leave by itself/);
});

test('Balancer moves the smallest process that ends a shortage of memory, whatever the CPUs say', () => {
  const home = entry(1, { totalMemory: 1000 * MB, freeMemory: 10 * MB });
  const sizes = [20, 90, 60, 300];
  const candidates = sizes.map((size, index) => process(index + 1, { memoryBytes: size * MB, demand: 0 }));
  const nodes = [seen('n2', entry(5)), seen('n3', entry(5, { freeMemory: 3500 * MB }))];
  const { proposal } = balancer().balancer.decide(view({ home, nodes, candidates }));
  assert.equal(proposal?.kind, 'memory');
  assert.equal(proposal?.candidate.memoryBytes, 60 * MB);
  assert.equal(proposal?.to, 'n3');
});

test('Balancer leaves a node alone for a while that has refused, and a process that could not leave', () => {
  const { balancer: one, pass } = balancer();
  const world = { home: entry(4), nodes: [seen('n2', entry(0))], candidates: [process(1)] };
  one.refused('n2', 'it would not be faster there by now');
  assert.match(one.decide(view(world)).judgements[0].why, /n2: it would not be faster there by now/);
  pass(2_000);
  assert.equal(one.decide(view(world)).proposal?.to, 'n2');
  one.kept(1, 'a GPU is mapped');
  assert.equal(one.decide(view(world)).judgements[0].why, 'a GPU is mapped');
});

test('bestNode spreads programs that begin one after the other', () => {
  const { balancer: one } = balancer();
  const nodes = [seen('n2', entry(0)), seen('n3', entry(0))];
  const names = [1, 2, 3].map((pid) => one.bestNode(view({ home: entry(1), nodes, candidates: [] }), process(pid)));
  assert.deepEqual(names.slice(0, 2).toSorted(), ['n2', 'n3']);
  assert.notEqual(names[2], 'home'); // which is as good, and stays free for other work
});

test('Admission counts what it has promised, so that no more come than are better off', () => {
  let now = 0;
  const admission = new Admission(() => now);
  const own = (): NodeEntry => entry(admission.promised().demand);
  const answers = Array.from({ length: 10 }, (_, pid) =>
    admission.ask({ home: 'n1', pid, demand: 1, memoryBytes: MB, progress: 0.24 }, own()),
  );
  // With five a process there gets 0.2 of a CPU, less than the 0.24 that it has.
  assert.equal(answers.filter((one) => one === undefined).length, 3);
  assert.equal(admission.arrived('n1', 0), 1);
  assert.equal(admission.promised().demand, 2);
  now += PROMISE_MS + 1;
  assert.equal(admission.promised().demand, 0);
});
