/** Measures this node: what it has, what is asked of it, and what it tells the others (NodeEntry). */
import { readFileSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { performance } from 'node:perf_hooks';

import type { NodeEntry, NodeStatus, Rates } from '../gossip/entry.ts';
import type { ProcessUse } from '../load/process_meter.ts';
import { cpusInList, effectiveCpus } from '../load/cpu_limits.ts';
import { MemoryTrend, type MemoryUse } from '../load/memory_trend.ts';
import { someStalled } from '../load/pressure.ts';
import { loadOf } from '../load/units.ts';
import { featureBits } from '../sys/x64/cpu_features.ts';
import { limitedMemory, pressureText, quotaCpus } from './cgroup_limits.ts';
import { ProcessSampler } from './process_sampler.ts';

/** What mosd knows beside what can be measured. */
export interface Known {
  readonly guests: number;
  readonly away: number;
  readonly forwardedPerSecond: number;
  readonly status: NodeStatus;
  readonly maxGuests: number;
  /** Promised to processes that are not here yet. */
  readonly promised: { readonly demand: number; readonly memoryBytes: number };
  readonly users: number;
  /**
   * Processes that are no load: mosd and the engine, which work most while programs move, and that is no reason to move others;
   * deputies, whose programs run elsewhere.
   */
  readonly idle: ReadonlySet<number>;
}

export interface LoadMeterOptions {
  /** Of one CPU; 10000 is standard. */
  readonly speed: number;
  readonly version: string;
}

const NO_RATES: Rates = { callsPerSecond: 0, bytesPerSecond: 0 };
const KILOBYTE = 1024;

export class LoadMeter {
  readonly speed: number;
  readonly #version: string;
  readonly #sampler = new ProcessSampler();
  readonly #trend = new MemoryTrend();
  #cpus = effectiveCpus(1);
  #memory: MemoryUse = { total: 0, free: 0 };

  constructor({ speed, version }: LoadMeterOptions) {
    this.speed = speed;
    this.#version = version;
  }

  /** Looks at everything. @param watched Processes whose memory and calls matter. */
  sample(watched: ReadonlySet<number>): void {
    this.#sampler.sample(watched);
    this.#cpus = effectiveCpus(allowedCpus(), quotaCpus());
    this.#memory = this.#trend.feed(performance.now(), nodeMemory());
  }

  /** @see ProcessSampler.begins */
  begins(pid: number, demand: number): void {
    this.#sampler.begins(pid, demand);
  }

  use(pid: number): ProcessUse | undefined {
    return this.#sampler.use(pid);
  }

  entry({ guests, away, forwardedPerSecond, status, maxGuests, promised, users, idle }: Known): NodeEntry {
    this.#sampler.dropEnded();
    const power = { speed: this.speed, cpus: this.#cpus };
    const { swapTotal, swapFree } = swap();
    return {
      load: loadOf(power, this.#sampler.demand(idle) + promised.demand),
      speed: this.speed,
      cpus: this.#cpus,
      architecture: process.arch === 'x64' ? 'x64' : 'unknown',
      cpuFeatures: featureBits(),
      freeMemory: Math.max(0, Math.round(this.#memory.free - promised.memoryBytes)),
      totalMemory: this.#memory.total,
      freeSwap: swapFree,
      totalSwap: swapTotal,
      pressure: { cpu: stalled('cpu'), memory: stalled('memory'), io: stalled('io') },
      utilisation: Math.min(100, (100 * this.#sampler.cpus()) / this.#cpus),
      localIo: NO_RATES,
      remoteIo: { callsPerSecond: forwardedPerSecond, bytesPerSecond: 0 },
      localIpc: NO_RATES,
      remoteIpc: NO_RATES,
      guests,
      maxGuests,
      away,
      status,
      clockOffsetMs: 0,
      version: this.#version,
      uptimeSeconds: Math.round(Number(read('/proc/uptime').split(' ')[0])),
      users,
    };
  }
}

/** Per cent of the last ten seconds. */
function stalled(resource: 'cpu' | 'memory' | 'io'): number {
  return someStalled(pressureText(resource)) * 100;
}

/** Those that mosd may run on: a cpuset holds for the whole node. */
function allowedCpus(): number {
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(read('/proc/self/status'))?.[1];
  return list === undefined ? availableParallelism() : cpusInList(list);
}

function nodeMemory(): MemoryUse {
  const text = read('/proc/meminfo');
  const machine = { total: field(text, 'MemTotal'), free: field(text, 'MemAvailable') };
  const limited = limitedMemory();
  if (limited === undefined || limited.total > machine.total) return machine;
  return { total: limited.total, free: Math.min(limited.free, machine.free) };
}

function swap(): { swapTotal: number; swapFree: number } {
  const text = read('/proc/meminfo');
  return { swapTotal: field(text, 'SwapTotal'), swapFree: field(text, 'SwapFree') };
}

/** Users with sessions, as logind has them; one file for each. */
export function sessions(directory = '/run/systemd/sessions'): string[] {
  try {
    return readdirSync(directory).filter((name) => !name.endsWith('.ref'));
  } catch {
    return []; // no logind here
  }
}

function field(text: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1] ?? 0) * KILOBYTE;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}
