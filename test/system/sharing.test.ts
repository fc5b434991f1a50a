/** Memory shared with others: who has it alone may move, who shares it stays, and files at home show what was written away. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startCluster, type Cluster } from '../bed/cluster.ts';
import type { HostProcess } from '../bed/host_process.ts';
import { whySkip } from '../bed/testing.ts';
import { until } from '../bed/wait.ts';
import { moved, PATIENCE_MS } from './support.ts';

/** Counts in a file that it maps shared, and ends when the count is -1. */
const COUNTER = `
import mmap, struct, sys, time
with open(sys.argv[1], 'r+b') as file:
    memory = mmap.mmap(file.fileno(), 8)
count = 0
while True:
    if struct.unpack('q', memory[:8])[0] != count: break
    count += 1
    memory[:8] = struct.pack('q', count)
    time.sleep(0.002)
print('ended')
`;
const FILE = '/tmp/counter';
const skip = await whySkip();

describe('a program with a file mapped shared and writable', { skip }, () => {
  test('moves; what it writes is in the file at home', { timeout: 4 * PATIENCE_MS }, async () => {
    await using cluster = await startCluster({ hosts: ['home', 'n2'], timeoutMs: PATIENCE_MS });
    const program = await started(cluster);
    await moved(cluster, program.pid, 'n2');
    const first = await counted(cluster);
    // Whoever opens the file reads what was there a second ago at most, and brings the program home.
    await until(async () => (await whereIs(cluster, program.pid)) === 'home', {
      what: 'see it come home',
      timeoutMs: PATIENCE_MS,
    });
    const rows = await cluster.mosps();
    const reason = rows.returned.find((row) => row.pid === program.pid)?.reason;
    assert.equal(reason, 'somebody opened a file that it maps shared', JSON.stringify(rows));
    const later = await counted(cluster);
    assert.ok(first > 0 && later > first, `${first}, then ${later}`);

    await cluster.home.run([
      'sh',
      '-c',
      `head -c 8 /dev/zero > ${FILE}.zero; dd if=${FILE}.zero of=${FILE} conv=notrunc`,
    ]);
    assert.deepEqual(await program.wait(PATIENCE_MS), { code: 0, signal: null }, program.readStderr());
    assert.equal(program.readStdout(), 'ended\n');
  });

  test('stays with those who share it', { timeout: 4 * PATIENCE_MS }, async () => {
    await using cluster = await startCluster({ hosts: ['home', 'n2'], timeoutMs: PATIENCE_MS });
    const program = await started(cluster);
    const other = cluster.home.spawn([
      'python3',
      '-c',
      `import mmap, time\nfile = open('${FILE}', 'r+b')\nmemory = mmap.mmap(file.fileno(), 8)\nprint('mapped', flush=True)\ntime.sleep(100)`,
    ]);
    await until(() => other.readStdout() !== '', { what: 'see the file mapped', timeoutMs: PATIENCE_MS });
    const refused = await cluster.mosmigrate(program.pid, 'n2');
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr.toString(), /shares memory with process \d+ \(python3\)/);
    other.killGroup('SIGKILL');
    await other.wait(PATIENCE_MS);
    await moved(cluster, program.pid, 'n2');
    await moved(cluster, program.pid, 'home');
    program.killGroup('SIGKILL');
  });
});

async function started(cluster: Cluster): Promise<HostProcess> {
  await cluster.home.writeFile(FILE, Buffer.alloc(8));
  const program = cluster.mosrun(['python3', '-c', COUNTER, FILE]);
  await until(async () => (await counted(cluster)) > 5, { what: 'see it count', timeoutMs: PATIENCE_MS });
  return program;
}

async function counted(cluster: Cluster): Promise<number> {
  return Number((await cluster.home.readFile(FILE)).readBigInt64LE());
}

async function whereIs(cluster: Cluster, pid: number): Promise<string> {
  const { away } = await cluster.mosps();
  return away.find((row) => row.pid === pid)?.where ?? 'home';
}
