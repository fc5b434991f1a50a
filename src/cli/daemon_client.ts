/** The way from a command to the mosd of its node. */
import { CommandClient } from '../wire/command_client.ts';
import { LineClient } from '../wire/line_client.ts';
import { asCommandError, daemonSocket, noDaemon } from './refusals.ts';

const CONNECT_MS = 5_000;

/**
 * Asks mosd within `body`; the connection ends with it.
 * @throws CommandError
 */
export async function withDaemon<T>(body: (mosd: CommandClient) => Promise<T>): Promise<T> {
  const path = daemonSocket();
  using connection = await LineClient.connect(path, CONNECT_MS).catch((error: unknown) => {
    throw noDaemon(path, error);
  });
  try {
    return await body(new CommandClient(connection));
  } catch (error) {
    throw asCommandError(error);
  }
}
