/** Names of users by their ids, from /etc/passwd (passwd(5)). */
import { readFileSync } from 'node:fs';

/** @returns a function that gives the name, or the id where there is no name */
export function userNames(file = '/etc/passwd'): (uid: number) => string {
  const names = parsePasswd(read(file));
  return (uid) => names.get(uid) ?? String(uid);
}

/** The first entry of an id counts, as for the C library. */
export function parsePasswd(text: string): Map<number, string> {
  const names = new Map<number, string>();
  for (const line of text.split('\n')) {
    const [name, , uid] = line.split(':');
    if (uid !== undefined && /^\d+$/.test(uid) && !names.has(Number(uid))) names.set(Number(uid), name);
  }
  return names;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // Ids do as well.
    return '';
  }
}
