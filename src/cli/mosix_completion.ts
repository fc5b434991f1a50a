/** mosix completion: scripts that complete the commands in bash, zsh and fish, and the words that these ask for. */
import { checkValue, type CommandLine } from '../lib/arguments.ts';
import { CommandError, EXIT } from '../lib/exit_codes.ts';
import type { CommandClient } from '../wire/command_client.ts';
import { completion as command } from './commands/node_verbs.ts';
import { ALL } from './commands/table.ts';
import { bashCompletion } from './completion/bash.ts';
import { fishCompletion } from './completion/fish.ts';
import { zshCompletion } from './completion/zsh.ts';
import { withDaemon } from './daemon_client.ts';
import { writeOut } from './output.ts';
import { perform } from './run_command.ts';

const SHELLS: Readonly<Record<string, typeof bashCompletion>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

export const completion = (args: readonly string[]): Promise<number> => perform(command, args, complete);

async function complete({ operands: [shell], values }: CommandLine<typeof command.options>): Promise<number> {
  const kind = values.get('words');
  if (kind !== undefined) {
    writeOut(await words(kind));
    return EXIT.done;
  }
  if (shell === undefined)
    throw new CommandError(`for which shell? mosix completion {${Object.keys(SHELLS).join('|')}}`, EXIT.usage);
  checkValue(shell, command.operands[0]);
  writeOut(SHELLS[shell](ALL));
  return EXIT.done;
}

type Word = readonly [word: string, meaning: string];

/** Who presses a key for a completion has no use for a message. */
async function words(kind: string): Promise<string> {
  const found = await withDaemon((mosd) => wordsOf(mosd, kind)).catch((): Word[] => []);
  return found.map(([word, meaning]) => `${word}\t${meaning}\n`).join('');
}

async function wordsOf(mosd: CommandClient, kind: string): Promise<Word[]> {
  if (kind === 'node' || kind === 'place') {
    const nodes = (await mosd.nodes()).map(({ name, state }): Word => [name, state]);
    return kind === 'node' ? nodes : [['home', 'back to this node'], ...nodes];
  }
  if (kind === 'job') {
    const tags = (await mosd.jobs()).flatMap(({ tag }) => tag ?? []);
    return [...new Set(tags)].map((tag): Word => [tag, 'a job']);
  }
  const { away, home, returned } = await mosd.list();
  const me = process.getuid?.() ?? 0;
  return [...away, ...home, ...returned]
    .filter(({ uid }) => me === 0 || uid === me)
    .map(({ pid, comm, where }): Word => [String(pid), `${comm.replaceAll(/\s/g, ' ')} on ${where}`]);
}
