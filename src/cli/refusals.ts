/** What the failures of a request mean for the user of a command: the message and the exit code. */
import { messageOf } from '../lib/errors.ts';
import { CommandError, EXIT } from '../lib/exit_codes.ts';
import { runDirectory } from '../lib/own_places.ts';
import { commandSocket } from '../wire/command_protocol.ts';
import type { ErrorCode } from '../wire/engine_protocol.ts';
import { LineClientError, RefusedError } from '../wire/line_errors.ts';

const EXIT_OF: Partial<Record<ErrorCode, number>> = {
  'bad-request': EXIT.usage,
  'no-such-node': EXIT.usage,
  'not-permitted': EXIT.notPermitted,
  'node-unreachable': EXIT.unavailable,
  'not-authenticated': EXIT.unavailable,
  'version-mismatch': EXIT.unavailable,
};

/** Where the mosd of this node listens: in `$MOSIX_RUN`, else the default place. */
export function daemonSocket(): string {
  return commandSocket(runDirectory());
}

/** A connect to mosd failed. */
export function noDaemon(path: string, error: unknown): CommandError {
  const code = error instanceof LineClientError ? error.code : undefined;
  const absent = code === 'ENOENT' || code === 'ECONNREFUSED';
  const reason = absent ? `nothing answers on ${path}; start it with: mosd` : messageOf(error);
  return new CommandError(`Cannot reach mosd: ${reason}`, EXIT.unavailable, { cause: error });
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
