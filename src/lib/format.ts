/** Numbers as people read them. Three significant digits at most, so that columns stay narrow. */

const BYTE_UNITS = ['B', 'KB', 'MB', 'GB', 'TB'];

/** Bytes in powers of 1024: `0 B`, `4 KB`, `1.5 MB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${significant(value)} ${BYTE_UNITS[unit]}`;
}

/** Milliseconds: `0.42 ms`, `35 ms`, `1.5 s`, `2 min 5 s`, `3 h 20 min`. */
export function formatMilliseconds(milliseconds: number): string {
  if (milliseconds < 999.5) return `${significant(milliseconds)} ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 99.5) return `${significant(seconds)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** A count or rate: `0`, `12`, `1.5k`, `3M`. */
export function formatCount(count: number): string {
  if (count < 999.5) return significant(count);
  return count < 999_500 ? `${significant(count / 1000)}k` : `${significant(count / 1_000_000)}M`;
}

function significant(value: number): string {
  if (value >= 99.5) return String(Math.round(value));
  return String(Number(value.toFixed(value >= 9.95 ? 1 : 2)));
}
