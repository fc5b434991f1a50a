/** Carries out the handshake on a node:net connection within a deadline. */
import type { Socket } from 'node:net';

import { HandshakeError, type Handshake, type HandshakePeer } from './handshake.ts';

/** The connection ended, or took too long, before both sides had proved the key. */
export class LinkError extends Error {
  constructor(reason: string, options?: ErrorOptions) {
    super(`Cannot link with the other node: ${reason}`, options);
    this.name = 'LinkError';
  }
}

export interface Authenticated {
  peer: HandshakePeer;
  /** Bytes that came after the handshake; nothing more was read: the socket is paused. */
  rest: Uint8Array;
}

/**
 * Proves the key to the other side and has it prove it. The socket is destroyed on failure.
 * @param socket Connected.
 * @throws HandshakeError, LinkError
 */
export async function authenticate(socket: Socket, handshake: Handshake, timeoutMs: number): Promise<Authenticated> {
  try {
    return await exchange(socket, handshake, timeoutMs);
  } catch (error) {
    // The refusal byte is small enough for any socket buffer, so waiting for the other side to read it is not needed.
    if (error instanceof HandshakeError && error.reply.length > 0) socket.end(error.reply, () => socket.destroy());
    else socket.destroy();
    throw error;
  }
}

function exchange(socket: Socket, handshake: Handshake, timeoutMs: number): Promise<Authenticated> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => finish(new LinkError(`the handshake took longer than ${timeoutMs / 1000} s`)),
      timeoutMs,
    );
    const onData = (bytes: Uint8Array): void => {
      try {
        const step = handshake.feed(bytes);
        if (step.send.length > 0) socket.write(step.send);
        if (step.done && handshake.peer !== undefined) finish({ peer: handshake.peer, rest: step.rest });
      } catch (error) {
        finish(error as Error);
      }
    };
    const onError = (error: Error): void => finish(new LinkError(error.message, { cause: error }));
    const onClose = (): void => finish(new LinkError('it closed the connection during the handshake'));
    const finish = (outcome: Authenticated | Error): void => {
      clearTimeout(timer);
      socket.off('data', onData).off('error', onError).off('close', onClose).off('end', onClose).pause();
      // A socket without an error listener would end the whole program.
      socket.on('error', () => socket.destroy());
      if (outcome instanceof Error) reject(outcome);
      else resolve(outcome);
    };
    socket.on('data', onData).on('error', onError).on('close', onClose).on('end', onClose);
    const first = handshake.start();
    if (first.length > 0) socket.write(first);
  });
}
