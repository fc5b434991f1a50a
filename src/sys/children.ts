/** Starting blank programs, and turning SIGCHLD into something that epoll sees. */
import ffi from 'node:ffi';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { call } from './gate.ts';
import { arena, Memory, PROT_EXEC, PROT_READ, scratch, withCString } from './memory.ts';
import { must, SystemCallError } from './errors.ts';
import { eventDescriptor } from './descriptors.ts';
import { nr } from './x64/numbers.ts';
import { blankProgram, childSignalCode } from './x64/stub_code.ts';

const SIGCHLD = 17;
const SA_RESTORER = 0x04000000;
const SA_RESTART = 0x10000000;

const libc = new ffi.DynamicLibrary('libc.so.6');
const posixSpawn = libc.getFunction('posix_spawn', {
  return: 'int32',
  arguments: ['uint64', 'uint64', 'uint64', 'uint64', 'uint64', 'uint64'],
});

const spawnAt = scratch(256);

/**
 * Starts the blank program as a child of this thread. posix_spawn(3), since fork in Node would copy a running JIT.
 * @returns its process id
 */
export function spawnBlank(): number {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'mosix-blank-'));
  const file = path.join(directory, 'mosix-body');
  try {
    fs.writeFileSync(file, blankProgram(), { mode: 0o755 });
    const pid = arena.address + spawnAt;
    return withCString(file, (name) => {
      arena.write64(spawnAt + 16, name);
      arena.write64(spawnAt + 24, 0);
      arena.write64(spawnAt + 32, 0);
      const address = (offset: number): bigint => BigInt(arena.address + offset);
      const result = posixSpawn(BigInt(pid), BigInt(name), 0n, 0n, address(spawnAt + 16), address(spawnAt + 32));
      if (result !== 0) throw new SystemCallError('posix_spawn', -result, { file });
      return arena.i32[spawnAt >> 2];
    });
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
}

let childEvents: number | undefined;

/**
 * An eventfd that is written by a SIGCHLD handler of machine code, since ptrace stops are announced by SIGCHLD alone.
 * It is never drained: watch it edge-triggered (EPOLLET), any number of threads may.
 */
export function childEventDescriptor(): number {
  if (childEvents !== undefined) return childEvents;
  const fd = eventDescriptor();
  const code = Memory.anonymous(4096);
  const oneOffset = 128;
  const { bytes, restorer } = childSignalCode(fd, oneOffset);
  code.u8.set(bytes, 0);
  code.write64(oneOffset, 1);
  must(call(nr.mprotect, code.address, 4096, PROT_READ | PROT_EXEC), 'mprotect');
  // struct kernel_sigaction: handler, flags, restorer, mask (8 bytes each).
  const action = scratch(32);
  arena.write64(action, code.address);
  arena.write64(action + 8, SA_RESTORER | SA_RESTART);
  arena.write64(action + 16, code.address + restorer);
  arena.write64(action + 24, 0);
  must(call(nr.rt_sigaction, SIGCHLD, arena.address + action, 0, 8), 'rt_sigaction SIGCHLD');
  childEvents = fd;
  return fd;
}
