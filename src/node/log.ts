/** The journal of mosd: one line an event, with a stable name and key=value. */

export type Fields = Readonly<Record<string, string | number | boolean | undefined>>;
export type Log = (event: string, fields?: Fields) => void;

/** Writes to standard error, which is mosd.log unless mosd runs in the foreground. */
export function createLog(node: string, write: (line: string) => void = writeStderr): Log {
  return (event, fields = {}) => {
    const pairs = Object.entries<Fields[string]>({ node, ...fields }).filter(([, value]) => value !== undefined);
    const text = pairs.map(([key, value]) => `${key}=${quote(String(value))}`).join(' ');
    write(`${new Date().toISOString()} mosd.${event} ${text}\n`);
  };
}

/**
 * A log for what strangers cause: at most `perMinute` lines a minute, and then how many were left out, so that
 * nobody without the key can fill the disk.
 */
export function limitLog(log: Log, perMinute: number, now: () => number = () => performance.now()): Log {
  let minuteBegan = -Infinity;
  let written = 0;
  let omitted = 0;
  return (event, fields = {}) => {
    if (now() - minuteBegan >= 60_000) {
      const before = omitted;
      [minuteBegan, written, omitted] = [now(), 0, 0];
      if (before > 0) log('log.omitted', { lines: before });
    }
    if (written < perMinute) log(event, fields);
    else omitted += 1;
    written += 1;
  };
}

/** Values may come from strangers: no line ends, no control characters. */
function quote(value: string): string {
  return /^[\w./:+-]+$/.test(value) ? value : JSON.stringify(value);
}

function writeStderr(line: string): void {
  process.stderr.write(line);
}
