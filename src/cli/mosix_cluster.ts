/** mosix token, revoke, rotate-ca, leave, set and cluster: who belongs to the cluster, and under which rules. */
import type { CommandLine } from '../lib/arguments.ts';
import type { OptionDescriptions } from '../lib/command.ts';
import { configFile, loadConfig } from '../lib/config.ts';
import { messageOf } from '../lib/errors.ts';
import { CommandError, EXIT } from '../lib/exit_codes.ts';
import { jsonLine } from '../lib/json_lines.ts';
import { suggestion } from '../lib/suggest.ts';
import type { ClusterReport } from '../wire/command_protocol.ts';
import { IdentityStore } from '../wire/identity/identity_store.ts';
import * as commands from './commands/cluster_verbs.ts';
import { withDaemon } from './daemon_client.ts';
import { writeError, writeOut } from './output.ts';
import { perform } from './run_command.ts';
import { stopDaemon } from './start_daemon.ts';

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

type Line<C extends { options: OptionDescriptions }> = CommandLine<C['options']>;
type Verb = (args: readonly string[]) => Promise<number>;

export const token: Verb = (args) => perform(commands.token, args, makeToken);
export const revoke: Verb = (args) => perform(commands.revoke, args, revokeNode);
export const rotateCa: Verb = (args) => perform(commands.rotateCa, args, rotate);
export const leave: Verb = (args) => perform(commands.leave, args, leaveCluster);
export const set: Verb = (args) => perform(commands.set, args, change);
export const cluster: Verb = (args) => perform(commands.cluster, args, show);

async function makeToken({ values, flags }: Line<typeof commands.token>): Promise<number> {
  const ttlMs = durationOf(values.get('ttl') ?? '1h');
  const address = values.get('address');
  const made = await withDaemon((mosd) => mosd.token({ ttlMs, address }));
  if (flags.has('json')) writeOut(jsonLine(made));
  else {
    writeOut(`${made.token}\n`);
    writeError(`good for one machine, until ${new Date(made.expires).toISOString()}; there: mosix join TOKEN\n`);
  }
  return EXIT.done;
}

async function revokeNode({ operands: [node] }: Line<typeof commands.revoke>): Promise<number> {
  if (node === undefined) throw new CommandError('which node? mosix status lists them', EXIT.usage);
  await withDaemon((mosd) => mosd.revoke(node));
  writeOut(`"${node}" has been revoked\n`);
  return EXIT.done;
}

async function rotate({ flags }: Line<typeof commands.rotateCa>): Promise<number> {
  const finish = flags.has('finish');
  await withDaemon((mosd) => mosd.rotateAuthority(finish));
  writeOut(
    finish
      ? 'only the new authority is believed now\n'
      : 'there is a new authority; the old one goes when all nodes have certificates of it (mosix cluster shows how far that is)\n',
  );
  return EXIT.done;
}

async function leaveCluster({ values, flags }: Line<typeof commands.leave>): Promise<number> {
  const file = configFile(values.get('config'));
  const { stateDir } = loadConfig(file);
  const force = flags.has('force');
  try {
    await withDaemon((mosd) => mosd.leave());
  } catch (error) {
    if (!force) throw error;
    writeError(`mosix leave: ${messageOf(error)}\n`);
  }
  const code = stopDaemon(file);
  if (code !== EXIT.done && !(force && code === EXIT.unavailable)) return code;
  new IdentityStore(stateDir).remove();
  writeOut('this machine is in no cluster now; mosix init and mosix join change that\n');
  return EXIT.done;
}

const SETTINGS: Readonly<Record<string, (text: string) => Partial<ClusterReport['settings']>>> = {
  certificate_days: (text) => ({ certificateDays: numberOf(text) }),
};

async function change({ operands }: Line<typeof commands.set>): Promise<number> {
  if (operands.length === 0) throw new CommandError('what is to be set? see mosix set --help', EXIT.usage);
  let settings: Partial<ClusterReport['settings']> = {};
  for (const text of operands) {
    const [name, ...rest] = text.split('=');
    const setting = Object.hasOwn(SETTINGS, name) ? SETTINGS[name] : undefined;
    if (setting === undefined || rest.length === 0)
      throw new CommandError(`there is no setting "${name}"${suggestion(name, Object.keys(SETTINGS))}`, EXIT.usage);
    settings = { ...settings, ...setting(rest.join('=')) };
  }
  await withDaemon((mosd) => mosd.set(settings));
  return EXIT.done;
}

async function show({ flags }: Line<typeof commands.cluster>): Promise<number> {
  const { report, nodes } = await withDaemon(async (mosd) => ({
    report: await mosd.cluster(),
    nodes: await mosd.nodes(),
  }));
  const names = nodes.map(({ name }) => name);
  writeOut(flags.has('json') ? jsonLine({ ...report, nodes }) : describe(report, names));
  return EXIT.done;
}

function describe(report: ClusterReport, nodes: readonly string[]): string {
  const { settings } = report;
  const old = report.authorities.length > 1 ? ' (an old one is still believed)' : '';
  return [
    `cluster "${report.cluster}", charter ${report.version}: ${nodes.length} nodes (${nodes.join(', ')})`,
    ...(report.revoked ? ['this node has been revoked: mosix leave --force, then mosix join'] : []),
    `authority ${report.authorities[0].slice(0, 16)}… at node ${report.issuer}${old}`,
    `this node's certificate ends ${new Date(report.expires).toISOString()}; it is renewed before by itself`,
    `certificate_days=${settings.certificateDays}`,
    ...(report.unrenewed.length > 0
      ? [`without a certificate of the new authority: ${report.unrenewed.join(', ')}`]
      : []),
    ...report.revocations.map(({ node, at }) => `revoked: ${node}, ${new Date(at).toISOString()}`),
    '',
  ].join('\n');
}

function durationOf(text: string): number {
  const [, digits, unit] = /^(\d+)([smhd])$/.exec(text) ?? [];
  if (digits === undefined) throw new CommandError(`"${text}" is no time; write 30s, 10m, 12h or 2d`, EXIT.usage);
  return Number(digits) * UNITS[unit];
}

function numberOf(text: string): number {
  const value = Number(text);
  if (text !== '' && Number.isFinite(value) && value > 0) return value;
  throw new CommandError(`"${text}" is no positive number`, EXIT.usage);
}
