/** The journal of mosd: one line an event, with a stable name and key=value. */

import type { Fields, Log } from '../lib/limit_log.ts';

export { limitLog, type Fields, type Log } from '../lib/limit_log.ts';

/** Writes to standard error, which is mosd.log unless mosd runs in the foreground. */
export function createLog(node: string, write: (line: string) => void = writeStderr): Log {
  return (event, fields = {}) => {
    const pairs = Object.entries<Fields[string]>({ node, ...fields }).filter(([, value]) => value !== undefined);
    const text = pairs.map(([key, value]) => `${key}=${quote(String(value))}`).join(' ');
    write(`${new Date().toISOString()} mosd.${event} ${text}\n`);
  };
}

/** Values may come from strangers: no line ends, no control characters. */
function quote(value: string): string {
  return /^[\w./:+-]+$/.test(value) ? value : JSON.stringify(value);
}

function writeStderr(line: string): void {
  process.stderr.write(line);
}
