/**
 * execve(2) and execveat(2) of a body: the strings go home with what the new program inherits of this kernel, and the
 * deputy executes. See docs/internals/families.md.
 */
import { signalSets } from '../../sys/procfs.ts';
import { peek } from '../../sys/remote_memory.ts';
import { nameOf } from '../../sys/syscalls.ts';
import { frameHeader, frameType, maximumFrame } from '../../wire/frames.ts';
import type { BodyCall } from './body_call.ts';
import type { BodyHost } from './body_host.ts';
import { tellUse } from './body_use.ts';
import type { BodyThread } from './body_thread.ts';
import { encodeExecution } from '../image/execution.ts';

type ExecuteCall = (body: BodyHost, thread: BodyThread, call: BodyCall) => void;

export const executeCalls: Readonly<Record<'execve' | 'execveat', ExecuteCall>> = {
  execve: (body, thread, call) => {
    const [path, argv, envp] = call.args.map(Number);
    execute(body, thread, call, { path, argv, envp, directory: undefined, flags: 0 });
  },
  execveat: (body, thread, call) => {
    const [directory, path, argv, envp, flags] = call.args.map(Number);
    execute(body, thread, call, { path, argv, envp, directory: directory | 0, flags });
  },
};

interface Places {
  path: number;
  argv: number;
  envp: number;
  directory: number | undefined;
  flags: number;
}

/** The kernel takes no longer string (MAX_ARG_STRLEN); one that is longer is cut, and home says that it is too long. */
const longestString = 32 * 4096 + 1;
const pageSize = 4096;

function execute(body: BodyHost, thread: BodyThread, call: BodyCall, places: Places): void {
  body.shared.writeBack(true);
  const sets = signalSets(thread.hostTid);
  // They wait in this kernel's queues, from which nobody can take them while the thread is in a call.
  if (sets.pending !== 0n) return body.comeHome(thread, `${nameOf(call.nr)} with signals that wait`);
  if (body.timers.intervals) return body.comeHome(thread, `${nameOf(call.nr)} with a timer of CPU time`);
  const path = stringAt(body.hostPid, places.path);
  const argv = stringsAt(body.hostPid, places.argv);
  const envp = stringsAt(body.hostPid, places.envp);
  if (!path || !argv || !envp) return body.comeHome(thread, `${nameOf(call.nr)} with unreadable arguments`);
  const bytes = encodeExecution(
    {
      tid: thread.tid,
      directory: places.directory,
      flags: places.flags,
      arguments: argv.length,
      mask: sets.blocked.toString(16),
      ignored: sets.ignored.toString(16),
      caught: sets.caught.toString(16),
      received: body.signals.received,
      limits: body.limits,
    },
    [path, ...argv, ...envp],
  );
  if (bytes.length > maximumFrame) return body.comeHome(thread, `${nameOf(call.nr)} with very long arguments`);
  tellUse(body.link, body); // should it succeed, nobody listens any more
  body.link.out.u8.set(bytes, frameHeader);
  body.link.sendFrame(frameType.execute, bytes.length, call.id);
}

/** The bytes of a string with its end; undefined when it is not readable. */
function stringAt(pid: number, address: number): Buffer | undefined {
  const parts: Uint8Array[] = [];
  for (let at = address, length = 0; length < longestString;) {
    const part = peek(pid, at, pageSize - (at % pageSize));
    if (part.length === 0) return undefined;
    const end = part.indexOf(0);
    parts.push(end < 0 ? part : part.subarray(0, end + 1));
    if (end >= 0) break;
    at += part.length;
    length += part.length;
  }
  const bytes = Buffer.concat(parts);
  if (bytes.at(-1) === 0) return bytes;
  return Buffer.concat([bytes, Buffer.of(0)]);
}

/** The strings of an array of pointers that a null pointer ends; no array is an empty one. */
function stringsAt(pid: number, address: number): Buffer[] | undefined {
  const out: Buffer[] = [];
  if (address === 0) return out;
  const longest = maximumFrame / 8;
  for (let at = address; out.length < longest;) {
    const part = Buffer.from(peek(pid, at, pageSize - (at % pageSize)));
    if (part.length < 8) return undefined;
    for (let offset = 0; offset + 8 <= part.length; offset += 8) {
      const pointer = Number(part.readBigUInt64LE(offset));
      if (pointer === 0) return out;
      const text = stringAt(pid, pointer);
      if (!text) return undefined;
      out.push(text);
    }
    at += part.length - (part.length % 8);
  }
  return undefined;
}
