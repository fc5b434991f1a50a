/**
 * Migrations wait at a step of a test's choice: with `MOSIX_HOLD_AT=step` in the engine's environment they pause there
 * (and say so in the log), so that a test can break them at each step.
 */
import type { MigrationStep, OnwardStep } from '../image/departure_types.ts';
import type { Loop } from '../link/loop.ts';

const holdMilliseconds = 3000;

export interface Holder {
  readonly loop: Loop;
  readonly log: (event: string, fields: Readonly<Record<string, unknown>>) => void;
}

/** The step has been done. @returns whether it waited */
export async function holdAt(step: MigrationStep | OnwardStep, pid: number, { loop, log }: Holder): Promise<boolean> {
  if (process.env['MOSIX_HOLD_AT'] !== step) return false;
  log('process.held', { pid, step });
  await loop.sleep(holdMilliseconds);
  return true;
}
