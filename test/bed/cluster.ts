/**
 * A cluster on the test-bed: hosts with certificates of one authority, a daemon running in each, all links up. It is made as
 * `mosix init` and `mosix join` make one, by the same code, but here and at once.
 *
 * The first host is the home node. Requests go to a daemon's socket from outside of its host, so that asking costs
 * that host nothing; the commands (`mosrun`, `mosmigrate`, `mosps`) run inside, as a user's would.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type MosdList, type NodeRow } from '../../src/wire/command_protocol.ts';
import { PORTS, type PeerConfig } from '../../src/lib/places.ts';
import { createKey, createRequest, type Credential } from '../../src/wire/identity/certificates.ts';
import { signCharter, type Charter, type Settings } from '../../src/wire/identity/charter.ts';
import { admit, foundCluster } from '../../src/wire/identity/found_cluster.ts';
import { IdentityStore, type Identity } from '../../src/wire/identity/identity_store.ts';
import { LineClient } from '../../src/wire/line_client.ts';
import { Bed, type HostOptions } from './bed.ts';
import { BedError, reasonOf } from './errors.ts';
import type { Host, RunOptions, RunResult } from './host.ts';
import type { HostProcess, SpawnOptions } from './host_process.ts';
import { until } from './wait.ts';

export interface ClusterOptions {
  /** the first is the home node; default home, n2, n3 */
  hosts?: readonly (string | HostOptions)[];
  /** more directories to show in every host, beside the project */
  share?: readonly string[];
  /** hosts that get certificates of another cluster's authority; default none */
  strangers?: readonly string[];
  /** hosts that are left without a configuration and an identity, and are in nobody's charter; default none */
  bare?: readonly string[];
  /** of the cluster; what is not said is as by default */
  settings?: Partial<Settings>;
  /** Lines added to each host's configuration. */
  config?: string;
  /** Whether jobs move by themselves; default false: tests move them by hand. */
  balance?: boolean;
  /** false: write the configuration only, see Cluster.startDaemon; default true */
  daemons?: boolean;
  /** added to the environment of the home node's daemons, as in { MOSIX_HOLD_AT: 'frozen' } */
  homeEnv?: Record<string, string>;
  /** whom the daemons run as, whose programs alone they then move; default 0, for all users */
  uid?: number;
  /** until all daemons answer and see each other; default 40 s */
  timeoutMs?: number;
}

export interface MosrunOptions extends SpawnOptions {
  /** options of mosrun itself, as in ['-r', 'n2'] */
  flags?: readonly string[];
  /** where the program is started; default the home node */
  on?: Host;
}

export type Daemon = 'mosd' | 'engine';

const PROJECT = join(import.meta.dirname, '..', '..');
const RUN_DIR = '/run/mosix';
const CONFIG = '/etc/mosix/mosix.toml';
const STATE_DIR = '/var/lib/mosix';
const START_TIMEOUT_MS = 40_000;

export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const hosts = (options.hosts ?? ['home', 'n2', 'n3']).map((host) =>
    typeof host === 'string' ? { name: host } : host,
  );
  const bed = await Bed.start({ hosts, share: [...sharedDirectories(), ...(options.share ?? [])] });
  const cluster = new Cluster(bed, options.uid ?? 0);
  try {
    await cluster.configure(options);
    if (options.daemons === false) return cluster;
    for (const host of cluster.hosts)
      if (options.bare?.includes(host.name) !== true)
        cluster.startDaemon(host, host === cluster.home ? options.homeEnv : {});
    await cluster.ready(options.timeoutMs);
    return cluster;
  } catch (error) {
    await bed.stop();
    throw error;
  }
}

export class Cluster implements AsyncDisposable {
  readonly bed: Bed;
  readonly home: Host;
  readonly #daemons = new Map<string, HostProcess>();
  readonly #uid: number;

  constructor(bed: Bed, uid: number) {
    this.bed = bed;
    this.#uid = uid;
    this.home = bed.hosts[0];
  }

  get hosts(): readonly Host[] {
    return this.bed.hosts;
  }

  host(name: string): Host {
    return this.bed.host(name);
  }

  async configure({
    strangers = [],
    bare = [],
    settings,
    balance = false,
    config = '',
  }: ClusterOptions): Promise<void> {
    const members = this.hosts.filter(({ name }) => !bare.includes(name));
    if (members.length === 0) return;
    const places = members.map(placeOf);
    const identities = await makeCluster(places, settings);
    const foreign = strangers.length > 0 ? await makeCluster(places) : identities;
    for (const host of members) {
      await host.writeFile(CONFIG, configurationOf(host, balance) + config);
      const { identity, authority } = (strangers.includes(host.name) ? foreign : identities).get(host.name)!;
      const store = new IdentityStore(host.outsidePath(STATE_DIR));
      store.saveIdentity(identity);
      if (authority) store.saveAuthority(authority);
      if (this.#uid !== 0) await this.#give(host);
    }
  }

  /** The daemons' user gets what they need; the rest belongs to root. */
  async #give(host: Host): Promise<void> {
    const script = `install -d -o ${this.#uid} -g ${this.#uid} ${RUN_DIR} && chown -R ${this.#uid} ${STATE_DIR}`;
    const { code, stderr } = await host.run(['sh', '-c', script]);
    if (code !== 0) throw new BedError(`prepare ${host.name} for user ${this.#uid}`, stderr.toString());
  }

  /** Starts mosd in the foreground (it starts the engine if none answers, with `env`, too); `ready` waits for it. */
  startDaemon(host: Host, env: Record<string, string> = {}): HostProcess {
    const daemon = host.spawn([program('mosd'), '--foreground'], { env, uid: this.#uid });
    this.#daemons.set(host.name, daemon);
    return daemon;
  }

  /** Waits until every daemon that was started answers and sees all its peers up. */
  async ready(timeoutMs = START_TIMEOUT_MS): Promise<void> {
    const started = this.hosts.filter((host) => host.alive && this.#daemons.has(host.name));
    const deadline = performance.now() + timeoutMs;
    for (const host of started) {
      try {
        const left = Math.max(1, deadline - performance.now());
        await until(() => this.#isUp(host), { what: `see all peers of ${host.name} up`, timeoutMs: left, everyMs: 20 });
      } catch (error) {
        throw new BedError('start the cluster', `${reasonOf(error)}\n${this.logs(host)}`, { cause: error });
      }
    }
  }

  async #isUp(host: Host): Promise<boolean> {
    const daemon = this.#daemons.get(host.name);
    if (daemon?.running === false) throw new BedError(`start mosd on ${host.name}`, 'it ended');
    try {
      return (await this.nodes(host)).every(({ state, self }) => self === true || state === 'up');
    } catch {
      return false; // not listening yet
    }
  }

  /** Asks the daemon of `host` by its command socket, as root. */
  async request(host: Host, op: string, parameters: object = {}, timeoutMs = 10_000): Promise<unknown> {
    using client = await LineClient.connect(host.outsidePath(`${RUN_DIR}/mosd.sock`), timeoutMs);
    return await client.request(op, parameters, { timeoutMs });
  }

  /** How `host` sees the cluster. */
  async nodes(host: Host = this.home): Promise<NodeRow[]> {
    return (await this.request(host, 'nodes')) as NodeRow[];
  }

  mosrun(argv: readonly string[], options: MosrunOptions = {}): HostProcess {
    const { flags = [], on = this.home, ...rest } = options;
    return on.spawn([program('mosrun'), ...flags, ...argv], rest);
  }

  /** Runs the command to its end; `to` is a node's name or `home`. */
  mosmigrate(pid: number, to: string, options: RunOptions & { on?: Host } = {}): Promise<RunResult> {
    const { on = this.home, ...rest } = options;
    return on.run([program('mosmigrate'), String(pid), to], rest);
  }

  /** What `mosps --json` prints, parsed. */
  async mosps(on: Host = this.home): Promise<MosdList> {
    const result = await on.run([program('mosps'), '--json']);
    if (result.code !== 0) throw new BedError(`list processes of ${on.name}`, result.stderr.toString());
    return JSON.parse(result.stdout.toString()) as MosdList;
  }

  /** A daemon's pid as this machine sees it. Throws BedError when it does not run. */
  daemonPid(host: Host, daemon: Daemon): number {
    const file = `${RUN_DIR}/${daemon}.pid`;
    const text = readIfThere(host.outsidePath(file)).trim();
    const pid = /^\d+$/.test(text) ? host.outsidePidOf(Number(text)) : undefined;
    if (pid === undefined) throw new BedError(`find the ${daemon} of ${host.name}`, `${file} says "${text}"`);
    return pid;
  }

  /** kill -9; returns when it is dead. The host goes on. */
  async killDaemon(host: Host, daemon: Daemon): Promise<void> {
    const pid = this.daemonPid(host, daemon);
    process.kill(pid, 'SIGKILL');
    const dead = (): boolean => !/^State:\s+[^ZX]/m.test(readIfThere(`/proc/${pid}/status`));
    await until(dead, { what: `kill the ${daemon} of ${host.name}`, timeoutMs: 10_000 });
  }

  /** All that the mosd started last on a host has written: its journal. */
  daemonOutput(host: Host): string {
    const daemon = this.#daemons.get(host.name);
    return (daemon?.readStdout() ?? '') + (daemon?.readStderr() ?? '');
  }

  /** The last words of a host's daemons, for error messages. */
  logs(host: Host): string {
    const texts: [string, string][] = [
      ['mosd, output', this.daemonOutput(host)],
      ['mosd.log', readIfThere(host.outsidePath(`${RUN_DIR}/mosd.log`))],
      ['engine.log', readIfThere(host.outsidePath(`${RUN_DIR}/engine.log`))],
    ];
    return texts.map(([title, text]) => `--- ${host.name}: ${title}\n${text.slice(-3000)}`).join('\n');
  }

  async stop(): Promise<void> {
    await this.bed.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** The project, and the Node we run under when it is not the project's own. */
function sharedDirectories(): string[] {
  const node = dirname(process.execPath);
  return node.startsWith(`${PROJECT}/`) || node.startsWith('/usr/') ? [PROJECT] : [PROJECT, node];
}

function program(name: string): string {
  return join(PROJECT, 'bin', name);
}

function configurationOf({ name, address }: Host, balance: boolean): string {
  return `name = "${name}"\naddress = "${address}"\nrun_dir = "${RUN_DIR}"\nbalance = "${balance ? 'on' : 'off'}"\n`;
}

function placeOf({ name, address }: Host): PeerConfig {
  return { name, address, port: PORTS.control, guestPort: PORTS.guest };
}

interface Member {
  readonly identity: Identity;
  /** Of the first one, which holds it. */
  readonly authority?: Credential;
}

/** Has the first place make a cluster and admits the others; each then knows all. */
async function makeCluster(places: readonly PeerConfig[], settings?: Partial<Settings>): Promise<Map<string, Member>> {
  const now = Date.now();
  const [first, ...others] = places;
  const { identity, authority } = await foundCluster({ cluster: 'bed', place: first, now, settings });
  let charter: Charter = identity.charter;
  const made = [{ place: first, key: identity.key, certificate: identity.certificate }];
  for (const place of others) {
    const key = createKey();
    const request = await createRequest(place.name, key);
    const admitted = await admit({ authority, charter, request, place, now });
    charter = admitted.charter;
    made.push({ place, key, certificate: admitted.certificate });
  }
  const signed = signCharter(charter, [authority]);
  return new Map(
    made.map(({ place, key, certificate }) => [
      place.name,
      { identity: { key, certificate, charter, signed }, authority: place === first ? authority : undefined },
    ]),
  );
}

function readIfThere(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}
