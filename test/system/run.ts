/** Runs a command of this project from its source, as a child process with a deadline. */
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..', '..');
const DEADLINE_MS = 15_000;

export interface Outcome {
  code: number | null;
  signal: string | null;
  stdout: string;
  stderr: string;
  pid: number;
}

export interface RunOptions {
  env?: Record<string, string>;
  /** Run as this user; needs root. */
  uid?: number;
}

/** An ordinary user, to whom nothing here belongs. */
export const NOBODY = 65_534;

/** Why tests cannot act as another user; false if they can. A checkout below /root, for one, is closed to others. */
export function whyNotAsNobody(): string | false {
  if (process.geteuid?.() !== 0) return 'needs root to act as another user';
  const { status } = spawnSync('test', ['-x', process.execPath, '-a', '-r', join(root, 'bin', 'launch.sh')], {
    uid: NOBODY,
  });
  return status === 0 ? false : `needs a checkout that other users can read, which ${root} is not`;
}

/** @param command A launcher in bin/, such as `mosrun`. */
export function runLauncher(command: string, args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  return run([join(root, 'bin', command), ...args], options);
}

export function run([file, ...args]: readonly string[], { env = {}, uid }: RunOptions = {}): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      env: { ...process.env, ...env },
      uid,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: DEADLINE_MS,
      killSignal: 'SIGKILL',
    });
    const output = { stdout: '', stderr: '' };
    child.stdout.on('data', (bytes: Buffer) => (output.stdout += bytes.toString('latin1')));
    child.stderr.on('data', (bytes: Buffer) => (output.stderr += bytes.toString('latin1')));
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, ...output, pid: child.pid ?? 0 }));
  });
}
