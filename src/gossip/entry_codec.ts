/**
 * An entry as bytes: its fields one after the other, most of them as varints.
 *
 * Fields are only ever appended. A reader stops after those it knows and skips the rest, since whoever carries an entry says
 * how long it is; a field that is missing at the end, from an older version, is 0. So versions live together both ways.
 */
import { ByteReader, ByteWriter } from './bytes.ts';
import type { Architecture, NodeEntry, NodeStatus, Rates } from './entry.ts';

/** Bytes of the longest entry: more than all fields at their largest. */
export const MAX_ENTRY_BYTES = 250;
const MAX_FEATURE_BYTES = 48;
const MAX_VERSION_BYTES = 24;
const KIB = 1024;

const ARCHITECTURES: readonly Architecture[] = ['unknown', 'x64', 'arm64'];
/** By bit, lowest first; appended to only. */
const STATUS: readonly (keyof NodeStatus)[] = [
  'stay',
  'lstay',
  'block',
  'hostingOnly',
  'leaving',
  'ownerPresent',
  'engineDown',
];

const writer = new ByteWriter(2 * MAX_ENTRY_BYTES);

/** @returns bytes of its own */
export function encodeEntry(entry: NodeEntry): Uint8Array {
  writer.at = 0;
  writer.varint(entry.load);
  writer.varint(entry.speed);
  writer.varint(entry.cpus * 1000);
  writer.byte(Math.max(0, ARCHITECTURES.indexOf(entry.architecture)));
  const features = entry.cpuFeatures.subarray(0, MAX_FEATURE_BYTES);
  writer.byte(features.length);
  writer.raw(features);
  for (const bytes of [entry.freeMemory, entry.totalMemory, entry.freeSwap, entry.totalSwap])
    writer.varint(bytes / KIB);
  const { cpu, memory, io } = entry.pressure;
  for (const share of [cpu, memory, io]) writer.varint(share * 100);
  writer.varint(entry.utilisation);
  for (const rates of [entry.localIo, entry.remoteIo, entry.localIpc, entry.remoteIpc]) {
    writer.varint(rates.callsPerSecond);
    writer.varint(rates.bytesPerSecond / KIB);
  }
  writer.varint(entry.guests);
  writer.varint(entry.maxGuests);
  writer.varint(entry.away);
  writer.varint(STATUS.reduce((bits, name, bit) => bits + (entry.status[name] ? 2 ** bit : 0), 0));
  writer.signed(entry.clockOffsetMs * 100);
  writer.text(entry.version.slice(0, MAX_VERSION_BYTES));
  writer.varint(entry.uptimeSeconds);
  writer.varint(entry.users);
  return writer.written.slice();
}

/** @returns undefined if the bytes are no entry */
export function decodeEntry(bytes: Uint8Array): NodeEntry | undefined {
  if (bytes.length > MAX_ENTRY_BYTES) return undefined;
  const reader = new ByteReader(bytes);
  /** What an older version did not write yet. */
  const next = (): number => (reader.left > 0 ? reader.varint() : 0);
  const [load, speed, milliCpus] = [next(), next(), next()];
  const architecture = ARCHITECTURES[next()] ?? 'unknown';
  const featureBytes = next();
  if (featureBytes > MAX_FEATURE_BYTES) return undefined;
  const cpuFeatures = reader.raw(featureBytes).slice();
  const [freeMemory, totalMemory, freeSwap, totalSwap] = [next(), next(), next(), next()].map((each) => each * KIB);
  const [cpu, memory, io] = [next() / 100, next() / 100, next() / 100];
  const utilisation = next();
  const rates = (): Rates => ({ callsPerSecond: next(), bytesPerSecond: next() * KIB });
  const [localIo, remoteIo, localIpc, remoteIpc] = [rates(), rates(), rates(), rates()];
  const [guests, maxGuests, away, bits] = [next(), next(), next(), next()];
  const clockOffsetMs = (reader.left > 0 ? reader.signed() : 0) / 100;
  const version = reader.left > 0 ? reader.text() : '';
  const [uptimeSeconds, users] = [next(), next()];
  if (reader.failed || version.length > MAX_VERSION_BYTES) return undefined;
  const memoryOf = { freeMemory, totalMemory, freeSwap, totalSwap };
  const counts = { guests, maxGuests, away, uptimeSeconds, users };
  const traffic = { localIo, remoteIo, localIpc, remoteIpc };
  const processor = { load, speed, cpus: milliCpus / 1000, architecture, cpuFeatures, utilisation };
  const status = statusOf(bits);
  return {
    ...processor,
    ...memoryOf,
    pressure: { cpu, memory, io },
    ...traffic,
    ...counts,
    status,
    clockOffsetMs,
    version,
  };
}

function statusOf(bits: number): NodeStatus {
  const has = (name: keyof NodeStatus): boolean => Math.floor(bits / 2 ** STATUS.indexOf(name)) % 2 === 1;
  return {
    stay: has('stay'),
    lstay: has('lstay'),
    block: has('block'),
    hostingOnly: has('hostingOnly'),
    leaving: has('leaving'),
    ownerPresent: has('ownerPresent'),
    engineDown: has('engineDown'),
  };
}
