/**
 * A node's command socket, used from outside of its host: a command is a process inside the host and would use CPU
 * time that is charged to that host.
 */
import { CommandClient } from '../../src/wire/command_client.ts';
import { commandSocket } from '../../src/wire/command_protocol.ts';
import type { MoveResult } from '../../src/wire/engine_protocol.ts';
import { LineClient } from '../../src/wire/line_client.ts';
import { LineClientError } from '../../src/wire/line_errors.ts';
import type { Host } from '../bed/host.ts';

const runDirectory = '/run/mosix';
const dialTimeoutMs = 5_000;

export class Control extends CommandClient implements Disposable {
  readonly #connection: LineClient;

  private constructor(connection: LineClient) {
    super(connection);
    this.#connection = connection;
  }

  static async connect(host: Host): Promise<Control> {
    return new Control(await LineClient.connect(host.outsidePath(commandSocket(runDirectory)), dialTimeoutMs));
  }

  /** Waits until it has moved. `to` is a node's name, or `home`. Throws RefusedError with the node's own words. */
  async move(pid: number, to: string): Promise<MoveResult> {
    const result = await this.migrate({ pid, to });
    if (result === undefined) throw new LineClientError(`mosd did not say how process ${pid} moved to ${to}`);
    return result;
  }

  [Symbol.dispose](): void {
    this.#connection[Symbol.dispose]();
  }
}
