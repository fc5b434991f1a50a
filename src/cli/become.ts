/**
 * Becomes another program in place, byte for byte as it was named.
 *
 * This is execve(2) by itself and not process.execve: arguments and environment of a Linux process are bytes and
 * need not be valid text, a failure must be an answer here and not an abort, and what the process inherited has to be
 * put back in the very last moment. The search in PATH is that of execvp(3).
 */
import { readFileSync } from 'node:fs';

import { EXIT } from '../lib/exit_codes.ts';
import { errnoName } from '../sys/errors.ts';
import { kernel } from '../sys/kernel.ts';
import { Memory } from '../sys/memory.ts';
import { nr } from '../sys/x64/numbers.ts';
import { JOB_MARK } from '../wire/command_protocol.ts';
import { INHERITED_VARIABLE, parseInherited, restoreInherited } from './inherited.ts';

/** The program could not be started; the process goes on as it was, but for signals and limits. */
export interface BecomeFailure {
  exitCode: number;
  reason: string;
}

const ENOENT = -2;
const E2BIG = -7;
const ENOEXEC = -8;
const EACCES = -13;
const ENOTDIR = -20;
const ELOOP = -40;
const DEFAULT_PATH = '/bin:/usr/bin';
const SHELL = '/bin/sh';

/**
 * @param argumentCount How many of this process's last arguments are the program and its arguments; at least 1.
 * @param mark Of its job, for the environment; undefined: an old one is left out, it is another job's.
 * @returns only if that failed
 */
export function become(argumentCount: number, mark: string | undefined): BecomeFailure {
  const args = fieldsOf('/proc/self/cmdline').slice(-argumentCount);
  const environment = fieldsOf('/proc/self/environ');
  const marker = `${INHERITED_VARIABLE}=`;
  restoreInherited(parseInherited(environment.find((entry) => entry.startsWith(marker))?.slice(marker.length) ?? ''));
  const rest = environment.filter((entry) => !entry.startsWith(marker) && !entry.startsWith(`${JOB_MARK}=`));
  if (mark !== undefined) rest.push(`${JOB_MARK}=${mark}`);
  const result = search(args, rest);
  return {
    exitCode: result === ENOENT || result === ENOTDIR ? EXIT.notFound : EXIT.notExecutable,
    reason: reasonOf(result),
  };
}

/** Tries each place where the program may be. @returns -errno */
function search(args: readonly string[], environment: readonly string[]): number {
  const [program] = args;
  if (program === '') return ENOENT;
  if (program.includes('/')) return execute(program, args, environment);
  const path = environment.find((entry) => entry.startsWith('PATH='))?.slice('PATH='.length) ?? DEFAULT_PATH;
  let result = ENOENT;
  for (const folder of path.split(':')) {
    const outcome = execute(folder === '' ? program : `${folder}/${program}`, args, environment);
    // One that may not be run does not hide one that may; but if there is no other, it is the reason.
    if (outcome === EACCES) result = EACCES;
    else if (outcome !== ENOENT && outcome !== ENOTDIR) return outcome;
  }
  return result;
}

/** A file without a known format is a script of the shell, as for every shell and execvp(3). */
function execute(file: string, args: readonly string[], environment: readonly string[]): number {
  const result = execve(file, args, environment);
  return result === ENOEXEC ? execve(SHELL, [SHELL, file, ...args.slice(1)], environment) : result;
}

/** All strings hold one byte in each letter (latin1). @returns -errno */
function execve(file: string, args: readonly string[], environment: readonly string[]): number {
  const strings = [file, ...args, ...environment];
  const textBytes = strings.reduce((sum, text) => sum + text.length + 1, 0);
  const pointerBytes = (args.length + 1 + environment.length + 1) * 8;
  using memory = Memory.anonymous(pointerBytes + textBytes);
  let textAt = pointerBytes;
  let pointerAt = 0;
  const putText = (text: string): number => {
    const at = textAt;
    textAt += memory.buffer.write(text, at, 'latin1') + 1; // fresh memory is zero
    return memory.address + at;
  };
  const putList = (list: readonly string[]): number => {
    const at = pointerAt;
    for (const text of list) {
      memory.write64(pointerAt, putText(text));
      pointerAt += 8;
    }
    pointerAt += 8; // the null pointer at the end
    return memory.address + at;
  };
  return kernel.call(nr.execve, putText(file), putList(args), putList(environment));
}

/** The zero-terminated strings of a file of /proc, one letter for each byte. */
function fieldsOf(file: string): string[] {
  const text = readFileSync(file, 'latin1');
  return text === '' ? [] : text.replace(/\0$/, '').split('\0');
}

function reasonOf(result: number): string {
  const reasons: Record<number, string> = {
    [ENOENT]: 'there is no such program',
    [ENOTDIR]: 'there is no such program',
    [EACCES]: 'it may not be run',
    [E2BIG]: 'its arguments and environment are too long',
    [ELOOP]: 'too many symbolic links',
  };
  return reasons[result] ?? errnoName(-result);
}
