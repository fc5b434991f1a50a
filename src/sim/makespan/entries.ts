/** What a simulated node tells of itself. */
import type { NodeEntry } from '../../gossip/entry.ts';
import { loadOf } from '../../load/units.ts';
import type { NodeSpec } from './cluster.ts';

const NO_RATES = { callsPerSecond: 0, bytesPerSecond: 0 };

export function entryOf(
  { speed, cpus, memoryBytes }: NodeSpec,
  { demand, usedMemory, guests }: { demand: number; usedMemory: number; guests: number },
): NodeEntry {
  return {
    load: loadOf({ speed, cpus }, demand),
    speed,
    cpus,
    architecture: 'x64',
    cpuFeatures: new Uint8Array(),
    freeMemory: Math.max(0, memoryBytes - usedMemory),
    totalMemory: memoryBytes,
    freeSwap: 0,
    totalSwap: 0,
    pressure: { cpu: 0, memory: 0, io: 0 },
    utilisation: 0,
    localIo: NO_RATES,
    remoteIo: NO_RATES,
    localIpc: NO_RATES,
    remoteIpc: NO_RATES,
    guests,
    maxGuests: 65_535,
    away: 0,
    status: {
      stay: false,
      lstay: false,
      block: false,
      hostingOnly: false,
      leaving: false,
      ownerPresent: false,
      engineDown: false,
    },
    clockOffsetMs: 0,
    version: '',
    uptimeSeconds: 0,
    users: 0,
  };
}
