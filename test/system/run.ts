/** Runs a command of this project from its source, as a child process with a deadline. */
import { spawn } from 'node:child_process';
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
