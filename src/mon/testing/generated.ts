/** Clusters of any size for tests of the views; the same seed gives the same cluster. */
import type { NodeFigures, Picture, ProcessFigures } from '../picture.ts';

/** A number from 0 to below 1 (mulberry32). */
export function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const GB = 2 ** 30;

export function generatedPicture(count: number, seed: number): Picture {
  const random = generator(seed);
  const nodes = Array.from({ length: count }, (_, index): NodeFigures => {
    const name = `node${index + 1}`;
    const fate = random();
    if (index > 0 && fate < 0.05)
      return { name, state: 'dead', why: 'it has been silent for 5 s', ageMs: 1e6 * random() };
    const totalMemory = [8, 16, 64][Math.floor(random() * 3)] * GB;
    return {
      name,
      address: `10.0.${index >> 8}.${index & 255}`,
      self: index === 0 || undefined,
      state: fate > 0.97 ? 'suspect' : 'alive',
      rttMs: index === 0 ? undefined : random(),
      ageMs: 3000 * random(),
      load: 300 * random() ** 2,
      speed: Math.round(8000 + 9000 * random()),
      cpus: [4, 8, 32][Math.floor(random() * 3)],
      freeMemory: totalMemory * random(),
      totalMemory,
      freeSwap: 2 * GB,
      totalSwap: 2 * GB,
      utilisation: 100 * random(),
      pressure: { cpu: 12.5, memory: 0, io: 1.25 },
      ioBytesPerSecond: random() < 0.3 ? 0 : 5e7 * random() ** 4,
      ioCallsPerSecond: 1000 * random(),
      guests: Math.floor(9 * random() ** 2),
      maxGuests: 65_535,
      away: Math.floor(5 * random()),
      status: { block: random() < 0.1, ownerPresent: random() < 0.1 },
      uptimeSeconds: 1e6 * random(),
      users: Math.floor(4 * random()),
      version: '0.1.0',
    };
  });
  return { node: 'node1', nodes, processes: generatedProcesses(Math.min(200, count * 3), nodes, random) };
}

function generatedProcesses(count: number, nodes: readonly NodeFigures[], random: () => number): ProcessFigures[] {
  const programs = ['sort', 'gzip', 'python3', 'cc1', 'hmmsearch', 'R'];
  return Array.from({ length: count }, (_, index) => {
    const where = random() < 0.4 ? 'node1' : nodes[Math.floor(random() * nodes.length)].name;
    return {
      pid: 4000 + index * 7,
      user: random() < 0.5 ? 'anna' : 'joe',
      comm: programs[Math.floor(random() * programs.length)],
      where,
      home: 'node1',
      state: where === 'node1' ? 'home' : 'away',
      job: random() < 0.3 ? 'night' : undefined,
      memoryBytes: 4e8 * random(),
      threads: 1 + Math.floor(4 * random()),
      cpuMs: 1e6 * random(),
      moves: Math.floor(5 * random()),
      callsPerSecond: 900 * random() ** 3,
      reason: random() < 0.05 ? 'it called io_uring_setup' : undefined,
    };
  });
}
