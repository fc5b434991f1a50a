/** Where the monitor's data come from: mosd's command socket, whose rows become figures here and nowhere else. */
import { messageOf } from '../lib/errors.ts';
import type { NodeFigures, Picture, ProcessFigures } from '../mon/picture.ts';
import { CommandClient } from '../wire/command_client.ts';
import type { MosdList, NodeRow } from '../wire/command_protocol.ts';
import type { ProcessRow } from '../wire/engine_protocol.ts';
import { LineClient } from '../wire/line_client.ts';
import { daemonSocket, noDaemon } from './refusals.ts';
import { userNames } from './user_names.ts';

const CONNECT_MS = 2_000;

/** One connection, made when it is needed and anew when it was lost. */
export class MosmonSource implements Disposable {
  readonly #onNews: () => void;
  readonly #userName = userNames();
  #client: LineClient | undefined;

  /** @param onNews Something has moved: it is worth looking now. */
  constructor(onNews: () => void = () => {}) {
    this.#onNews = onNews;
  }

  /** @throws CommandError, RefusedError, LineClientError */
  async look(): Promise<Picture> {
    const mosd = new CommandClient(await this.#connected());
    const [hello, nodes] = await Promise.all([mosd.hello(), mosd.nodes()]);
    const none: MosdList = { node: hello.node, away: [], home: [], returned: [], guests: [] };
    const list = hello.engineDown === undefined ? await mosd.list() : none;
    return pictureOf(hello.node, nodes, list, this.#userName);
  }

  [Symbol.dispose](): void {
    this.#client?.[Symbol.dispose]();
  }

  async #connected(): Promise<LineClient> {
    if (this.#client !== undefined) return this.#client;
    const path = daemonSocket();
    const client = await LineClient.connect(path, CONNECT_MS).catch((error: unknown) => {
      throw noDaemon(path, error);
    });
    this.#client = client;
    void this.#forget(client);
    // An older mosd has no such request; then one looks from time to time.
    new CommandClient(client)
      .watch(({ events, missed }) => {
        if (events.length > 0 || missed > 0) this.#onNews();
      })
      .catch((error: unknown) => void messageOf(error));
    return client;
  }

  /** When it is lost, the next look makes another one. */
  async #forget(client: LineClient): Promise<void> {
    await client.closed;
    if (this.#client === client) this.#client = undefined;
  }
}

export function pictureOf(
  node: string,
  nodes: readonly NodeRow[],
  list: MosdList,
  userName: (uid: number) => string,
): Picture {
  const figures = ({ uid, forwardedPerSecond, ...row }: ProcessRow): ProcessFigures => ({
    ...row,
    user: userName(uid),
    callsPerSecond: forwardedPerSecond,
  });
  // Ids of users mean something at home only.
  const guest = (row: ProcessRow): ProcessFigures => ({
    ...figures(row),
    user: row.home === node ? userName(row.uid) : '-',
  });
  const processes = [...list.away, ...list.home, ...list.returned].map(figures);
  return { node, nodes: nodes.map(figuresOf), processes: [...processes, ...list.guests.map(guest)] };
}

const STATES: Readonly<Record<NodeRow['state'], NodeFigures['state']>> = {
  up: 'alive',
  down: 'dead',
  connecting: 'connecting',
};

/** A node says 0 of what it does not know (src/gossip/entry.ts). */
export function figuresOf(row: NodeRow): NodeFigures {
  const { name, address, self, state, rttMs, why, ageMs, measured } = row;
  const known: NodeFigures = { name, address, self, state: STATES[state], rttMs, why, ageMs };
  if (measured === undefined) return known;
  const { localIo, remoteIo, localIpc: _, remoteIpc: __, speed, cpus, version, architecture: ___, ...same } = measured;
  return {
    ...known,
    ...same,
    speed: speed || undefined,
    cpus: cpus || undefined,
    version: version || undefined,
    ioBytesPerSecond: localIo.bytesPerSecond + remoteIo.bytesPerSecond,
    ioCallsPerSecond: localIo.callsPerSecond + remoteIo.callsPerSecond,
  };
}
