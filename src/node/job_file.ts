/** The jobs as they outlive mosd: a file in the run directory, replaced as a whole, gone with the machine's restart. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import * as v from 'valibot';

import { runOptionsSchema } from './run_options.ts';

const storedJob = v.object({
  id: v.string(),
  pid: v.number(),
  uid: v.number(),
  options: runOptionsSchema,
  directory: v.optional(v.string()),
  cpuAwayMs: v.number(),
  earlier: v.optional(v.array(v.object({ pid: v.number(), startTime: v.number() })), []),
  members: v.array(
    v.object({
      pid: v.number(),
      startTime: v.number(),
      reason: v.optional(v.string()),
      held: v.optional(v.boolean()),
    }),
  ),
});

export type StoredJob = v.InferOutput<typeof storedJob>;

/** What cannot be read is forgotten: its processes go on as ordinary ones. */
export function readJobs(file: string): StoredJob[] {
  try {
    const result = v.safeParse(v.array(storedJob), JSON.parse(readFileSync(file, 'utf8')));
    return result.success ? result.output : [];
  } catch {
    return [];
  }
}

export function writeJobs(file: string, jobs: readonly StoredJob[]): void {
  const partial = `${file}.new`;
  writeFileSync(partial, JSON.stringify(jobs), { mode: 0o600 });
  renameSync(partial, file);
}
