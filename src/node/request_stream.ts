/**
 * Answers the requests that come over a connection, as JSON lines in the form of engine_protocol.ts: for commands of this
 * node and for other nodes alike.
 *
 * Promise: the length of a line, requests under way and unread answers are limited, and who breaks the form is told so and
 * closed.
 */
import type { Duplex } from 'node:stream';

import { messageOf } from '../lib/errors.ts';
import { jsonLine, JsonLineReader } from '../lib/json_lines.ts';
import type { ErrorCode } from '../wire/engine_protocol.ts';
import { RefusedError } from '../wire/line_errors.ts';
import type { Log } from './log.ts';

/** Requests under way on one connection. */
const MAX_REQUESTS = 16;
/** Bytes of answers that the other side has not read: above the first no progress is sent, above the second it is closed. */
const MAX_UNSENT_FOR_PROGRESS = 64 * 1024;
const MAX_UNSENT_BYTES = 32 * 1024 * 1024;

/** @returns whether it was sent: a client that does not read gets none, until it has read */
export type OnProgress = (progress: unknown) => boolean;

/** @typeParam C who asks */
export type Handler<C> = (caller: C, request: unknown, onProgress: OnProgress) => unknown;
export type Handlers<C> = Readonly<Record<string, Handler<C>>>;

export interface RequestStreamOptions<C> {
  handlers: Handlers<C>;
  log: Log;
  /** Longest line in bytes. Default: MAX_LINE_BYTES. */
  maxLineBytes?: number;
}

/** Serves `stream` until it ends. */
export function serveRequests<C>(stream: Duplex, caller: C, options: RequestStreamOptions<C>): void {
  const reader = new JsonLineReader(options.maxLineBytes);
  let underWay = 0;
  stream.on('data', (bytes: Uint8Array) => {
    try {
      for (const message of reader.feed(bytes)) {
        const request = asRequest(message);
        if (underWay >= MAX_REQUESTS)
          throw new RefusedError('busy', `Cannot take more than ${MAX_REQUESTS} requests at once`);
        underWay += 1;
        void answer(stream, caller, request, options).finally(() => (underWay -= 1));
      }
    } catch (error) {
      closeWith(stream, error instanceof RefusedError ? error.code : 'bad-request', messageOf(error));
    }
  });
}

/** Says what is wrong with the whole connection and ends it. */
export function closeWith(stream: Duplex, code: ErrorCode, message: string): void {
  if (!stream.writable) return;
  // What else the other side has sent is not read, and it is not waited for.
  stream.pause();
  stream.end(jsonLine({ id: null, ok: false, error: { code, message } }), () => stream.destroy());
}

/** Never rejects. */
async function answer<C>(
  stream: Duplex,
  caller: C,
  request: Request,
  { handlers, log }: RequestStreamOptions<C>,
): Promise<void> {
  const { id, op } = request;
  const onProgress = (progress: unknown): boolean => {
    if (!stream.writable || stream.writableLength >= MAX_UNSENT_FOR_PROGRESS) return false;
    stream.write(jsonLine({ id, progress }));
    return true;
  };
  try {
    const handler = Object.hasOwn(handlers, op) ? handlers[op] : undefined;
    if (handler === undefined)
      throw new RefusedError('bad-request', `Cannot do ${JSON.stringify(op)}: there is no such request`);
    const result = await handler(caller, request, onProgress);
    send(stream, { id, ok: true, result });
  } catch (error) {
    if (!(error instanceof RefusedError)) log('command.failed', { op, why: messageOf(error) });
    const code: ErrorCode = error instanceof RefusedError ? error.code : 'failed';
    send(stream, { id, ok: false, error: { code, message: messageOf(error) } });
  }
}

interface Request {
  id: number | string;
  op: string;
}

function asRequest(message: unknown): Request {
  if (typeof message !== 'object' || message === null || !('id' in message) || !('op' in message)) {
    throw new RefusedError('bad-request', 'Cannot understand the request: it needs "id" and "op"');
  }
  const { id, op } = message;
  if ((typeof id !== 'number' && typeof id !== 'string') || typeof op !== 'string') {
    throw new RefusedError(
      'bad-request',
      'Cannot understand the request: "id" must be a number or a text, "op" a text',
    );
  }
  return { ...message, id, op };
}

function send(stream: Duplex, message: unknown): void {
  if (!stream.writable) return;
  if (stream.writableLength > MAX_UNSENT_BYTES) stream.destroy();
  else stream.write(jsonLine(message));
}
