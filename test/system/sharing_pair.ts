/** Two processes that take turns in memory that they share: neither goes on without the other, wherever they are. */
import assert from 'node:assert/strict';
import type { Cluster } from '../bed/cluster.ts';
import type { HostProcess } from '../bed/host_process.ts';
import { until } from '../bed/wait.ts';
import { PATIENCE_MS, readIfThere } from './support.ts';

/** Parent and child add to one number by turns; the parent writes down what it finds at its turn. */
const PAIR = `
import mmap, os, struct, sys, time
log, finish = sys.argv[1:]
memory = mmap.mmap(-1, 8)
parent = os.getpid()
me = 0 if os.fork() else 1
out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND) if me == 0 else -1
while True:
    count = struct.unpack('q', memory[:8])[0]
    if count < 0 or me == 1 and os.getppid() != parent: break
    if count % 2 != me:
        time.sleep(0.001)
        continue
    if me == 0:
        os.write(out, b'%d\\n' % count)
        if os.path.exists(finish): count = -2
    memory[:8] = struct.pack('q', count + 1)
if me == 0: sys.exit(os.waitpid(-1, 0)[1] or 5)
`;

let pairs = 0;

export class SharingPair {
  readonly process: HostProcess;
  readonly #cluster: Cluster;
  readonly #file: string;

  private constructor(cluster: Cluster, file: string) {
    this.#cluster = cluster;
    this.#file = file;
    this.process = cluster.mosrun(['python3', '-c', PAIR, file, `${file}.finish`]);
  }

  /** Settles when they take turns. */
  static async start(cluster: Cluster): Promise<SharingPair> {
    pairs += 1;
    const pair = new SharingPair(cluster, `/tmp/pair-${pairs}`);
    await pair.goesOn();
    return pair;
  }

  get pid(): number {
    return this.process.pid;
  }

  /** Checks what the parent has found so far. @returns the number of its turns */
  turns(): number {
    const lines = readIfThere(this.#cluster.home.outsidePath(this.#file)).split('\n').slice(0, -1);
    lines.forEach((line, i) => assert.equal(line, String(2 * i), `what the parent found at turn ${i}`));
    return lines.length;
  }

  /** Settles when both have had some more turns. */
  async goesOn(): Promise<void> {
    const goal = this.turns() + 5;
    const look = (): boolean => {
      if (this.turns() >= goal) return true;
      assert.ok(this.process.running, `the pair ended: ${this.process.readStderr()}`);
      return false;
    };
    await until(look, { what: `see the pair take ${goal} turns`, timeoutMs: PATIENCE_MS, everyMs: 10 });
  }

  async finish(): Promise<void> {
    await this.#cluster.home.writeFile(`${this.#file}.finish`, '');
    assert.deepEqual(await this.process.wait(PATIENCE_MS), { code: 5, signal: null }, this.process.readStderr());
    this.turns();
  }
}
