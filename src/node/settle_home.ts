/** Has a process at home that is about to become another program there, although its job may just be moving it. */
import { RefusedError } from '../wire/line_errors.ts';
import { pause } from './backoff.ts';
import type { EngineLink } from './engine_link.ts';

/** Milliseconds between two attempts while it is on its way. */
const PAUSE_MS = 50;
const ATTEMPTS = 100;

/** Settles when it is at home, or cannot be brought there in five seconds; then it comes home when it executes. */
export async function settleHome(pid: number, engine: EngineLink, gone: AbortSignal): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS && engine.down === undefined && !gone.aborted; attempt += 1) {
    try {
      await engine.engine.home(pid, () => {});
      return;
    } catch (error) {
      if (!(error instanceof RefusedError) || error.code !== 'busy') return;
      await pause(PAUSE_MS, gone);
    }
  }
}
