/** A command socket that shows a cluster of any size and never anything else: for what must be compared letter by letter. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { jsonLine, JsonLineReader } from '../../src/lib/json_lines.ts';
import { generatedPicture } from '../../src/mon/testing/generated.ts';
import { commandSocket, type MosdList, type NodeRow } from '../../src/wire/command_protocol.ts';
import type { ProcessRow } from '../../src/wire/engine_protocol.ts';

export interface Shown {
  nodes: NodeRow[];
  list: MosdList;
}

export class FakeMosd implements Disposable {
  readonly runDir = mkdtempSync(join(tmpdir(), 'mosd-'));
  readonly shown: Shown;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(shown: Shown) {
    this.shown = shown;
    this.#server = createServer((socket) => this.#serve(socket));
    this.#server.listen(commandSocket(this.runDir));
  }

  [Symbol.dispose](): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    rmSync(this.runDir, { recursive: true });
  }

  #serve(socket: Socket): void {
    const reader = new JsonLineReader();
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('data', (bytes: Buffer) => {
      for (const message of reader.feed(bytes)) {
        const { id, op } = message as { id: number; op: string };
        const { nodes, list } = this.shown;
        const answers: Record<string, unknown> = { hello: { node: list.node, pid: 1, version: '0' }, nodes, list };
        if (op in answers) socket.write(jsonLine({ id, ok: true, result: answers[op] }));
        else socket.write(jsonLine({ id, progress: { events: [], missed: 0 } }));
      }
    });
  }
}

/** What mosd would say of a generated cluster. */
export function generatedRows(count: number, seed: number): Shown {
  const { node, nodes, processes } = generatedPicture(count, seed);
  const none = { callsPerSecond: 0, bytesPerSecond: 0 };
  const rows = nodes.map((one): NodeRow => {
    const {
      name,
      address = '10.0.0.1',
      self,
      state,
      why,
      rttMs,
      ageMs,
      load,
      ioBytesPerSecond = 0,
      ioCallsPerSecond = 0,
    } = one;
    const card = { name, address, port: 7100, guestPort: 7101, self };
    if (load === undefined) return { ...card, state: 'down', why };
    const status = { stay: false, lstay: false, block: false, hostingOnly: false, leaving: false, ownerPresent: false };
    const measured = {
      load,
      speed: one.speed ?? 0,
      cpus: one.cpus ?? 0,
      architecture: 'x64',
      freeMemory: one.freeMemory ?? 0,
      totalMemory: one.totalMemory ?? 0,
      freeSwap: one.freeSwap ?? 0,
      totalSwap: one.totalSwap ?? 0,
      pressure: one.pressure ?? { cpu: 0, memory: 0, io: 0 },
      utilisation: one.utilisation ?? 0,
      localIo: { callsPerSecond: ioCallsPerSecond, bytesPerSecond: ioBytesPerSecond },
      remoteIo: none,
      localIpc: none,
      remoteIpc: none,
      guests: one.guests ?? 0,
      maxGuests: one.maxGuests ?? 65_535,
      away: one.away ?? 0,
      status: { ...status, engineDown: false, ...one.status },
      clockOffsetMs: 0,
      version: one.version ?? '',
      uptimeSeconds: one.uptimeSeconds ?? 0,
      users: one.users ?? 0,
    };
    return { ...card, state: state === 'dead' ? 'down' : 'up', why, rttMs, ageMs, measured };
  });
  const away = processes.map((one): ProcessRow => {
    const { pid, comm, where, home, job, memoryBytes, threads, cpuMs, moves, callsPerSecond, reason } = one;
    const row = { pid, comm, where, home, job, memoryBytes, threads, cpuMs, moves, reason };
    return {
      ...row,
      uid: 0,
      forwarded: 0,
      forwardedPerSecond: callsPerSecond,
      state: where === home ? 'home' : 'away',
    };
  });
  return { nodes: rows, list: { node, away, home: [], returned: [], guests: [] } };
}
