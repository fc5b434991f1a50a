/** mosctl: orders to this node, and evacuation with progress. */
import type { CommandLine } from '../lib/arguments.ts';
import { CommandError, EXIT } from '../lib/exit_codes.ts';
import { jsonLine } from '../lib/json_lines.ts';
import type { CommandClient } from '../wire/command_client.ts';
import type { EvacuationState, OrderState } from '../wire/command_protocol.ts';
import { mosctl, ORDERS } from './commands/mosctl.ts';
import { withDaemon } from './daemon_client.ts';
import { writeError, writeOut } from './output.ts';
import { runCommand } from './run_command.ts';

type Line = CommandLine<typeof mosctl.options>;

/** What each of those that take their time does, one after the other. */
const EVACUATIONS: Readonly<Record<string, readonly ('expel' | 'bring')[]>> = {
  expel: ['expel'],
  bring: ['bring'],
  shutdown: ['expel', 'bring'],
};

async function obey({ operands, flags }: Line): Promise<number> {
  const [word = ''] = operands;
  if (word === '' || operands.length > 1) throw new CommandError('one order is needed; see mosctl --help', EXIT.usage);
  const order = Object.hasOwn(ORDERS, word) ? ORDERS[word] : undefined;
  const steps = Object.hasOwn(EVACUATIONS, word) ? EVACUATIONS[word] : undefined;
  if (order === undefined && steps === undefined && word !== 'status')
    throw new CommandError(`there is no order "${word}"; see mosctl --help`, EXIT.usage);
  return withDaemon(async (mosd) => {
    if (steps !== undefined) return evacuate(mosd, steps, flags.has('json'));
    const state = await (order === undefined ? mosd.orders() : mosd.order(...order));
    writeOut(flags.has('json') ? jsonLine(state) : stateText(state));
    return EXIT.done;
  });
}

/** Ctrl-C ends this process, and with the connection mosd stops: what has gone has gone. */
async function evacuate(mosd: CommandClient, steps: readonly ('expel' | 'bring')[], json: boolean): Promise<number> {
  let complete = true;
  for (const step of steps) {
    let shown = '';
    const state = await mosd.evacuate(step, (progress) => {
      const text = progressText(step, progress);
      if (!json && text !== shown) writeOut(`${text}\n`);
      shown = text;
    });
    if (json) writeOut(jsonLine(state));
    else if (progressText(step, state) !== shown) writeOut(`${progressText(step, state)}\n`);
    for (const { pid, why } of state.left) writeError(`mosctl: process ${pid} is still there: ${why}\n`);
    complete &&= state.left.length === 0;
  }
  return complete ? EXIT.done : EXIT.failed;
}

function progressText(step: 'expel' | 'bring', { gone, total }: EvacuationState): string {
  const what = step === 'expel' ? 'guests have left' : 'processes are home';
  return `${gone} of ${total} ${what}`;
}

function stateText({ stay, lstay, block, closed }: OrderState): string {
  const lines = [
    stay ? 'stay: nothing leaves this node by itself' : '',
    lstay ? 'lstay: its own processes do not leave by themselves' : '',
    block ? 'block: no guests come' : '',
    !block && closed !== undefined ? `closed: ${closed}` : '',
  ].filter((line) => line !== '');
  return `${lines.length === 0 ? 'no orders: processes come and go' : lines.join('\n')}\n`;
}

runCommand(mosctl, obey);
