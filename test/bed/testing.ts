/** What the tests of the test-bed share: the reason to skip them, and a little server to talk to. */
import assert from 'node:assert/strict';
import { dirname } from 'node:path';
import { Bed } from './bed.ts';
import type { Host } from './host.ts';
import { until } from './wait.ts';

/** For `{ skip }`: false, or what this machine lacks. */
export async function whySkip(): Promise<string | false> {
  const probed = await Bed.probe();
  return probed.ok ? false : probed.help;
}

/** To be shared, for programs run by `process.execPath`. */
export const NODE_DIRECTORY = dirname(process.execPath);

/** Standard output of a program that must succeed. */
export async function output(host: Host, ...argv: string[]): Promise<string> {
  const result = await host.run(argv);
  assert.equal(result.code, 0, `${argv.join(' ')}: ${result.stderr.toString()}`);
  return result.stdout.toString().trim();
}

/** Starts a TCP server on port 7 of the host that returns what it gets; resolves once it listens. */
export async function echoServer(host: Host): Promise<void> {
  const program = `require('net').createServer((s) => s.on('error', () => {}).pipe(s)).listen(7, '0.0.0.0', () => console.log('listening'))`;
  const server = host.spawn([process.execPath, '-e', program]);
  await until(() => server.readStdout() !== '', { what: `listen on ${host.name}`, timeoutMs: 20_000 });
}

/** Sends a word to the echo server of `to` and says what came of it: `hello`, `timeout` or an error code. */
export async function echo(from: Host, to: Host, timeoutMs = 500): Promise<string> {
  const program = `
    const s = require('net').connect(7, '${to.address}', () => s.write('hello'));
    s.on('data', (d) => { console.log(String(d)); process.exit(); });
    s.on('error', (e) => { console.log(e.code); process.exit(); });
    setTimeout(() => { console.log('timeout'); process.exit(); }, ${timeoutMs});`;
  return output(from, process.execPath, '-e', program);
}
