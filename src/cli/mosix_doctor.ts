/** mosix doctor: what this machine lacks, what that costs, and the way out. */
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { arch, release } from 'node:os';

import type { CommandLine } from '../lib/arguments.ts';
import { DEFAULT_CONFIG_FILE } from '../lib/places.ts';
import { configFile, loadConfig } from '../lib/config.ts';
import { messageOf } from '../lib/errors.ts';
import { EXIT } from '../lib/exit_codes.ts';
import { jsonLine } from '../lib/json_lines.ts';
import { cgroupDirectory } from '../sys/cgroups.ts';
import { isDue } from '../wire/identity/found_cluster.ts';
import { IdentityStore } from '../wire/identity/identity_store.ts';
import { doctor as command } from './commands/node_verbs.ts';
import { withDaemon } from './daemon_client.ts';
import { finding, type Finding } from './finding.ts';
import { writeOut } from './output.ts';
import { peerFindings } from './peer_findings.ts';
import { perform } from './run_command.ts';
import { colour, type Colour } from './terminal.ts';

const COLOURS: Readonly<Record<Finding['state'], Colour>> = { ok: 'green', worse: 'yellow', missing: 'red' };

export const doctor = (args: readonly string[]): Promise<number> => perform(command, args, examine);

async function examine(line: CommandLine<typeof command.options>): Promise<number> {
  const peer = line.values.get('peer');
  const findings =
    peer === undefined ? [...machine(), ...configuration(), ...(await daemons())] : await peerFindings(peer);
  if (line.flags.has('json')) writeOut(jsonLine(findings));
  else
    for (const { what, state, text } of findings)
      writeOut(`${colour(state.padEnd(8), COLOURS[state])}${what}: ${text}\n`);
  return findings.some(({ state }) => state === 'missing') ? EXIT.failed : EXIT.done;
}

function machine(): Finding[] {
  const [major = 0, minor = 0] = release()
    .split('.')
    .map((part) => Number.parseInt(part, 10));
  const since = (wanted: number, than: number): boolean => major > wanted || (major === wanted && minor >= than);
  const spaces = ['user', 'pid', 'mnt', 'net', 'ipc', 'uts', 'time'].filter((name) => !namespaceWorks(name));
  return [
    finding('processor', arch() === 'x64', { ok: arch(), otherwise: `${arch()}: only x64 can host or send programs` }),
    finding('kernel', since(5, 19), { ok: release(), otherwise: `${release()} is too old: 5.19 or newer is needed` }),
    finding('page scan', since(6, 7), {
      ok: 'the kernel finds pages with content by itself',
      otherwise: 'kernels before 6.7 do not find pages with content by themselves: large programs freeze longer',
      worse: true,
    }),
    finding('namespaces', spaces.length === 0, {
      ok: 'guests get surroundings of their own',
      otherwise: `no ${spaces.join(', ')} namespaces: guests cannot be hosted; see /proc/sys/user/max_*_namespaces`,
    }),
    finding('seccomp', contentOf('/proc/sys/kernel/seccomp/actions_avail').includes('user_notif'), {
      ok: 'calls of guests can be caught',
      otherwise: 'the kernel has no seccomp notification (CONFIG_SECCOMP_FILTER): guests cannot be hosted',
    }),
    ptrace(),
    ...(isRoot() ? [] : [userNamespaces()]),
    cgroups(),
  ];
}

const isRoot = (): boolean => process.geteuid?.() === 0;

/** Yama: admin-guide/LSM/Yama.rst. */
function ptrace(): Finding {
  const scope = Number(contentOf('/proc/sys/kernel/yama/ptrace_scope'));
  const way = scope === 3 ? 'until the machine starts anew with less' : 'run mosd as root, or set it to 0';
  return finding('ptrace', scope < (isRoot() ? 3 : 1), {
    ok: 'programs can be stopped and moved',
    otherwise: `kernel.yama.ptrace_scope is ${scope}: programs of this node cannot leave it; ${way}`,
  });
}

/** What distributions forbid to ordinary users; the first two are patches of Debian and of Ubuntu. */
function userNamespaces(): Finding {
  const forbidding = [
    ['kernel.unprivileged_userns_clone', '0'],
    ['kernel.apparmor_restrict_unprivileged_userns', '1'],
    ['user.max_user_namespaces', '0'],
  ].find(([name, value]) => contentOf(`/proc/sys/${name.replaceAll('.', '/')}`).trim() === value);
  return finding('user namespaces', forbidding === undefined, {
    ok: 'a mosd without root can host guests',
    otherwise: `${forbidding?.join(' is ')}: a mosd without root cannot host guests; change it, or run mosd as root`,
  });
}

function cgroups(): Finding {
  const directory = cgroupDirectory('self');
  return finding('cgroups', directory !== undefined && isWritable(directory), {
    ok: 'jobs and guests get cgroups of their own',
    otherwise:
      'no writable cgroup2 here (as root): processes of a job are found by a mark in their environment, and ' +
      'guests are not limited',
    worse: true,
  });
}

function configuration(): Finding[] {
  const file = configFile(undefined);
  if (!existsSync(file))
    return [{ what: 'configuration', state: 'missing', text: `no ${file}; mosix init or mosix join makes one` }];
  try {
    const { name, address, stateDir } = loadConfig(file);
    const own: Finding = { what: 'configuration', state: 'ok', text: `${file}: node ${name} at ${address}` };
    if (process.geteuid?.() !== 0 && file === DEFAULT_CONFIG_FILE)
      return [own, { what: 'identity', state: 'ok', text: 'only root can look at it' }];
    return [own, identity(stateDir)];
  } catch (error) {
    return [{ what: 'configuration', state: 'missing', text: messageOf(error) }];
  }
}

function identity(stateDir: string): Finding {
  const present = new IdentityStore(stateDir).load();
  if (present === undefined)
    return { what: 'identity', state: 'missing', text: 'this node is in no cluster: mosix init or mosix join TOKEN' };
  const { cluster, nodes } = present.charter;
  return finding('identity', !isDue(present.certificate, present.charter, Date.now()), {
    ok: `cluster "${cluster}" of ${nodes.length} nodes`,
    otherwise: 'the certificate of this node is due for renewal; mosd does that while it runs and reaches the issuer',
    worse: true,
  });
}

async function daemons(): Promise<Finding[]> {
  try {
    return await withDaemon(async (mosd) => {
      const { pid, version, engineDown } = await mosd.hello();
      const nodes = await mosd.nodes();
      return [
        { what: 'mosd', state: 'ok', text: `process ${pid}, version ${version}` },
        finding('engine', engineDown === undefined, { ok: 'it answers', otherwise: `${engineDown}; see mosix logs` }),
        ...nodes
          .filter(({ self }) => self !== true)
          .map(({ name, state, why, rttMs }) =>
            finding(`node ${name}`, state === 'up', {
              ok: `${rttMs?.toFixed(2) ?? '?'} ms away`,
              otherwise: why ?? state,
              worse: true,
            }),
          ),
      ];
    });
  } catch (error) {
    return [{ what: 'mosd', state: 'missing', text: messageOf(error) }];
  }
}

function namespaceWorks(name: string): boolean {
  const limit = contentOf(`/proc/sys/user/max_${name}_namespaces`).trim();
  return existsSync(`/proc/self/ns/${name}`) && limit !== '0';
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}

function isWritable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
