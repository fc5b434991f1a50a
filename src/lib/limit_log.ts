/** Journals of events with key=value, and how they stay short whatever strangers do. */

export type Fields = Readonly<Record<string, string | number | boolean | undefined>>;
export type Log = (event: string, fields?: Fields) => void;

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
