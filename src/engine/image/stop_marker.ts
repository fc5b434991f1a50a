/**
 * A stop signal that acted at the body is to act at the deputy, too. Sent there by kill(2), it would make void a SIGCONT that
 * has come meanwhile and that no thread has taken yet (prepare_signal in kernel/signal.c). So a real-time signal of ours is
 * queued, the marker, which a thread takes after all those of lower numbers. At its delivery the stop signal is put in its
 * place, and the kernel drops that if SIGCONT comes even then (JOBCTL_STOP_DEQUEUED in ptrace_signal and do_signal_stop).
 */
import { kernel } from '../../sys/kernel.ts';
import { arena, scratch } from '../../sys/memory.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { SIGCONT } from '../task/default_actions.ts';
import type { SignalImage } from './image.ts';
import { bitOf } from './pending_signals.ts';

const lastSignal = 64;
/** The C library uses the first two real-time signals itself. */
const firstUsed = 34;
const SI_QUEUE = -1;
const siginfoSize = 128;
const valueOfMarkers = 0x4d6f_7369_7853_746fn;
const at = scratch(siginfoSize);

/** The signal that markers are, 0 if there is none. @param held signals that no thread takes */
export function markerSignal(held: bigint): number {
  for (let signal = lastSignal; signal >= firstUsed; signal--) if ((held & bitOf(signal)) === 0n) return signal;
  return 0;
}

/**
 * The deputy must have a handler for the marker's signal: the kernel ends a process at once by a signal whose default that
 * is, if the main thread is not traced because it has ended (complete_signal in kernel/signal.c).
 * @returns whether it could be queued
 */
export function sendMarker(pid: number, held: bigint): boolean {
  const signal = markerSignal(held);
  if (signal === 0) return false;
  arena.u8.fill(0, at, at + siginfoSize);
  arena.view.setInt32(at, signal, true);
  arena.view.setInt32(at + 8, SI_QUEUE, true);
  arena.view.setInt32(at + 16, process.pid, true);
  arena.view.setBigUint64(at + 24, valueOfMarkers, true);
  return kernel.call(nr.rt_sigqueueinfo, pid, signal, arena.address + at) === 0;
}

export function isMarker(signal: number, info: Uint8Array): boolean {
  const words = new DataView(info.buffer, info.byteOffset);
  if (signal < firstUsed || words.getInt32(8, true) !== SI_QUEUE) return false;
  return words.getInt32(16, true) === process.pid && words.getBigUint64(24, true) === valueOfMarkers;
}

/** Signals out of the queues, with the stop signal that a marker among them stands for, unless SIGCONT has made it void. */
export function withoutMarkers(signals: readonly SignalImage[], stop: number): SignalImage[] {
  const plain = signals.filter(({ signal, info }) => !isMarker(signal, Buffer.from(info, 'base64')));
  if (plain.length === signals.length || stop === 0 || plain.some(({ signal }) => signal === SIGCONT)) return plain;
  const info = Buffer.alloc(siginfoSize);
  info.writeInt32LE(stop, 0);
  return [...plain, { signal: stop, info: info.toString('base64'), tid: 0 }];
}
