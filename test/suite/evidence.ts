/** What may explain a failure, in one directory per case and mode: output, daemons' logs, the process as /proc shows it. */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Case, Mode } from './case.ts';
import type { Lab } from './lab.ts';

export interface Failure {
  readonly lab: Lab;
  readonly one: Case;
  readonly mode: Mode;
  readonly pid: number;
  /** The directory for all failures of a run. */
  readonly root: string;
}

/** Output of this many bytes and less is kept. */
const largestOutput = 16 << 20;

/** Returns the directory. What was saved first stays: of a hanging case, the state while it hung. */
export async function saveFailure({ lab, one, mode, pid, root }: Failure): Promise<string> {
  const directory = join(root, `${one.name}-${mode}`);
  if (existsSync(directory)) return directory;
  mkdirSync(directory, { recursive: true });
  for (const name of new Set(['stdout', 'stderr', one.verify.file])) {
    const from = lab.home.outsidePath(`${lab.directoryOf(one.name)}/${name}`);
    if (existsSync(from) && statSync(from).size <= largestOutput) copyFileSync(from, join(directory, basename(name)));
  }
  const members = await lab.control.jobs().catch(() => []);
  for (const id of new Set([pid, ...members.flatMap(({ processes }) => processes)]))
    writeFileSync(join(directory, `process_${id}.txt`), describeProcess(lab.home.outsidePath(`/proc/${id}`)));
  for (const host of lab.hosts) {
    writeFileSync(join(directory, `${host.name}.log`), lab.logsOf(host));
  }
  const list = await lab.control.list().catch((error: unknown) => ({ error: String(error) }));
  writeFileSync(join(directory, 'processes.json'), JSON.stringify(list, undefined, 2));
  return directory;
}

/** Texts only: nobody compares large outputs by eye. */
const longestText = 256 * 1024;

/** What the output is compared with. */
export function saveExpected(lab: Lab, one: Case, root: string): void {
  const from = lab.home.outsidePath(`${lab.directoryOf(one.name)}/${one.verify.file}`);
  if (existsSync(from) && statSync(from).size <= longestText) copyFileSync(from, join(root, `${one.name}.expected`));
}

const taskFiles = ['status', 'syscall', 'wchan', 'stack'] as const;

function describeProcess(directory: string): string {
  if (!existsSync(`${directory}/task`)) return 'the process had ended\n';
  const tasks = readdirSync(`${directory}/task`).flatMap((task) => taskFiles.map((name) => `task/${task}/${name}`));
  return ['comm', 'maps', ...tasks].map((name) => `== ${name}\n${readOr(`${directory}/${name}`)}\n`).join('');
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    return `${String(error)}\n`;
  }
}
