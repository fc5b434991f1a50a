/** What a body sends home to execute another program: u32 length, JSON, then the strings, each with its end. */

export interface Execution {
  tid: number;
  /** Of execveat. */
  directory: number | undefined;
  flags: number;
  /** How many of the strings behind the path are arguments; the others are the environment. */
  arguments: number;
  /** Signal sets of the calling thread, hexadecimal. */
  mask: string;
  ignored: string;
  caught: string;
  /** Signals that the body has received by now: one that is still on its way acts before the program is executed. */
  received: number;
  /** Limits are inherited; the deputy has none on memory. */
  limits: [string, string][];
}

export function encodeExecution(execution: Execution, strings: readonly Buffer[]): Buffer {
  const head = Buffer.from(JSON.stringify(execution));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(head.length);
  return Buffer.concat([length, head, ...strings]);
}

/** @throws RangeError on a malformed one */
export function decodeExecution(bytes: Buffer): { execution: Execution; strings: Buffer; starts: number[] } {
  const headLength = bytes.length >= 4 ? bytes.readUInt32LE(0) : bytes.length;
  if (4 + headLength >= bytes.length || bytes.at(-1) !== 0) throw new RangeError('Cannot read a call of execve');
  // cast: the peer has proved the cluster's key; what does not fit fails where it is used
  const execution = JSON.parse(bytes.toString('utf8', 4, 4 + headLength)) as Execution;
  const strings = Buffer.from(bytes.subarray(4 + headLength));
  const starts = [0];
  for (let end = strings.indexOf(0); end < strings.length - 1; end = strings.indexOf(0, end + 1)) starts.push(end + 1);
  if (!(execution.arguments < starts.length)) throw new RangeError('Cannot read a call of execve: strings are missing');
  return { execution, strings, starts };
}
