/** The way from a command to the mosd of its node, and what its failures mean for the user. */
import { messageOf } from '../lib/errors.ts';
import { CommandError, EXIT } from '../lib/exit_codes.ts';
import { DEFAULT_RUN_DIR } from '../lib/places.ts';
import { CommandClient } from '../wire/command_client.ts';
import type { ErrorCode } from '../wire/engine_protocol.ts';
import { LineClient, LineClientError, RefusedError } from '../wire/line_client.ts';
import { commandSocket } from '../wire/command_protocol.ts';

const CONNECT_MS = 5_000;

/**
 * Asks mosd within `body`; the connection ends with it.
 * @throws CommandError
 */
export async function withDaemon<T>(body: (mosd: CommandClient) => Promise<T>): Promise<T> {
  try {
    using connection = await connect();
    return await body(new CommandClient(connection));
  } catch (error) {
    throw asCommandError(error);
  }
}

/** @throws CommandError with exit code 69 if there is no daemon */
export async function connect(): Promise<LineClient> {
  const path = commandSocket(process.env['MOSIX_RUN'] || DEFAULT_RUN_DIR);
  try {
    return await LineClient.connect(path, CONNECT_MS);
  } catch (error) {
    const code = error instanceof LineClientError ? error.code : undefined;
    const absent = code === 'ENOENT' || code === 'ECONNREFUSED';
    const reason = absent ? `nothing answers on ${path}; start it with: mosd` : messageOf(error);
    throw new CommandError(`Cannot reach mosd: ${reason}`, EXIT.unavailable, { cause: error });
  }
}

/** With the exit code that scripts expect. */
export function asCommandError(error: unknown): CommandError {
  if (error instanceof CommandError) return error;
  if (error instanceof RefusedError)
    return new CommandError(error.message, EXIT_OF[error.code] ?? EXIT.failed, { cause: error });
  if (error instanceof LineClientError)
    return new CommandError(`Cannot hear from mosd: ${error.message}`, EXIT.unavailable, { cause: error });
  return new CommandError(messageOf(error), EXIT.failed, { cause: error });
}

const EXIT_OF: Partial<Record<ErrorCode, number>> = {
  'bad-request': EXIT.usage,
  'no-such-node': EXIT.usage,
  'not-permitted': EXIT.notPermitted,
  'node-unreachable': EXIT.unavailable,
  'not-authenticated': EXIT.unavailable,
  'version-mismatch': EXIT.unavailable,
};
