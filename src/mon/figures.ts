/** The figures of which the monitor draws bars: where they come from, how they are written, what is much of them. */
import { formatBytes, formatCount, formatMilliseconds } from '../lib/format.ts';
import type { Style } from './canvas.ts';
import type { NodeFigures } from './picture.ts';

export type FigureName = 'load' | 'speed' | 'memory' | 'utilisation' | 'guests' | 'io';

/** MOSIX's: the speed of the CPU in whose terms load is shown. */
export const STANDARD_SPEED = 10_000;

export interface Figure {
  key: string;
  title: string;
  /** Undefined: not known. */
  of: (node: NodeFigures, yardstick: number) => number | undefined;
  write: (value: number) => string;
  style: (value: number) => Style;
  /** The top of the scale is not below it; fixed where it is per cent. */
  least: number;
  fixed?: boolean;
}

const percent = (value: number): string => `${Math.round(value)} %`;
const info = (): Style => 'info';

export const FIGURES: Readonly<Record<FigureName, Figure>> = {
  load: {
    key: 'l',
    title: 'load',
    // 100 = one CPU-bound task on one CPU of the yardstick's speed, which on a CPU of half that speed is 200.
    of: ({ load }, yardstick) => (load === undefined ? undefined : (load * yardstick) / STANDARD_SPEED),
    write: (value) => String(Math.round(value)),
    style: (value) => (value <= 110 ? 'good' : value <= 200 ? 'warn' : 'bad'),
    least: 100,
  },
  speed: {
    key: 's',
    title: 'speed',
    of: ({ speed }) => speed,
    write: (value) => String(Math.round(value)),
    style: info,
    least: STANDARD_SPEED,
  },
  memory: {
    key: 'm',
    title: 'memory used',
    of: (node) => usedPart(node.freeMemory, node.totalMemory),
    write: percent,
    style: (value) => (value <= 75 ? 'good' : value <= 90 ? 'warn' : 'bad'),
    least: 100,
    fixed: true,
  },
  utilisation: {
    key: 'u',
    title: 'utilisation',
    of: ({ utilisation }) => utilisation,
    write: percent,
    style: (value) => (value <= 90 ? 'good' : 'warn'),
    least: 100,
    fixed: true,
  },
  guests: {
    key: 'g',
    title: 'guests',
    of: ({ guests }) => guests,
    write: (value) => String(Math.round(value)),
    style: info,
    least: 4,
  },
  io: {
    key: 'i',
    title: 'input and output per second',
    of: ({ ioBytesPerSecond }) => ioBytesPerSecond,
    write: (value) => (value < 1 ? '0' : formatBytes(value)),
    style: info,
    least: 1024,
  },
};

export const FIGURE_OF_KEY: ReadonlyMap<string, FigureName> = new Map(
  Object.entries(FIGURES).map(([name, { key }]) => [key, name as FigureName]), // cast: its own keys
);

/** Per cent that is used. */
export function usedPart(free: number | undefined, total: number | undefined): number | undefined {
  if (free === undefined || total === undefined || total <= 0) return undefined;
  return Math.min(100, Math.max(0, (100 * (total - free)) / total));
}

/** The end of a scale: 1, 2 or 5 times a power of ten (of 1024 steps nobody counts). */
export function scaleEnd(greatest: number, { least, fixed }: Figure): number {
  if (fixed || greatest <= least) return least;
  const power = 10 ** Math.floor(Math.log10(greatest));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((step) => step * power).find((end) => end >= greatest) ?? greatest;
}

/** `3.1 of 8 GB`, `-` where it is not known. */
export function formatUse(free: number | undefined, total: number | undefined): string {
  if (free === undefined || total === undefined || total <= 0) return '-';
  return `${formatBytes(total - free)} of ${formatBytes(total)}`;
}

export function formatMaybe(value: number | undefined, write: (value: number) => string = formatCount): string {
  return value === undefined ? '-' : write(value);
}

/** Days and hours, hours and minutes, or less. */
export function formatUptime(seconds: number): string {
  const hours = Math.floor(seconds / 3600);
  return hours < 48 ? formatMilliseconds(seconds * 1000) : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}
