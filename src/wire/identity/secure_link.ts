/**
 * TLS 1.3 between nodes, both sides showing a certificate (RFC 8446). What a connection is for is agreed on by ALPN
 * (RFC 7301), so that a wrong port is noticed in the handshake.
 *
 * Chains are checked by OpenSSL but judged here (`rejectUnauthorized: false`, peer_identity.ts): an alert would not say why.
 * Nothing that a peer sends is looked at before it has been judged.
 */
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions, type SecureContextOptions, type TLSSocket } from 'node:tls';

import { errnoOf, messageOf, reasonOf } from '../../lib/errors.ts';
import { chainOf } from './found_cluster.ts';
import { IdentityError } from './identity_error.ts';
import type { Identity } from './identity_store.ts';
import { identify, type PeerIdentity } from './peer_identity.ts';

/** What a connection is for: between two mosd, between two engines, or of a machine that is no node yet. */
export type Purpose = 'control' | 'guest' | 'join';

const PREFIX = 'mosix-';
/** The version of what is spoken within; nodes that have none in common do not link. */
const PROTOCOL = '/1';

export function protocolOf(purpose: Purpose): string {
  return PREFIX + purpose + PROTOCOL;
}

/** Undefined: none of ours. */
export function purposeOf(protocol: string | false | null): Purpose | undefined {
  return (['control', 'guest', 'join'] as const).find((purpose) => protocolOf(purpose) === protocol);
}

/** What this node shows and whom it believes. */
export function contextOptions(identity: Identity): SecureContextOptions {
  return {
    key: identity.key,
    cert: chainOf(identity),
    ca: [...identity.charter.authorities],
    minVersion: 'TLSv1.3',
  };
}

/** The other node cannot be reached, and why. */
export class LinkError extends Error {
  constructor(reason: string, options?: ErrorOptions) {
    super(reason, options);
    this.name = 'LinkError';
  }
}

export interface Dialling {
  readonly address: string;
  readonly port: number;
  readonly purpose: Purpose;
  /** Milliseconds, to connect and for the handshake together. */
  readonly timeoutMs: number;
  readonly stop?: AbortSignal;
}

/**
 * Connects to a node and has it show who it is.
 * @throws LinkError, IdentityError with the reason alone
 */
export async function dialNode(identity: Identity, to: Dialling): Promise<{ socket: TLSSocket; peer: PeerIdentity }> {
  const socket = await dial(to, contextOptions(identity));
  try {
    return { socket, peer: identify(socket, identity.charter, Date.now()) };
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** As `dialNode`, of somebody who is no node: the caller judges the other side. @throws LinkError, IdentityError */
export async function dial(to: Dialling, options: SecureContextOptions = {}): Promise<TLSSocket> {
  const place = `${to.address} port ${to.port}`;
  const stop = AbortSignal.any([AbortSignal.timeout(to.timeoutMs), ...(to.stop === undefined ? [] : [to.stop])]);
  const raw = connectTcp({ host: to.address, port: to.port, noDelay: true });
  const why = (): string =>
    to.stop?.aborted === true ? 'this node stops' : `${place} does not answer within ${to.timeoutMs / 1000} s`;
  await settled(raw, 'connect', { stop, why, failed: (error) => new LinkError(`${place}: ${reasonOf(error)}`) });
  return secure(raw, { ...options, ALPNProtocols: [protocolOf(to.purpose)] }, { stop, why });
}

/** The client's side of the handshake on a connected socket. */
export async function secure(
  raw: Socket,
  options: ConnectionOptions,
  wait: { stop: AbortSignal; why: () => string },
): Promise<TLSSocket> {
  const socket = connectTls({
    minVersion: 'TLSv1.3',
    ...options,
    socket: raw,
    rejectUnauthorized: false,
    // A name in the certificate is a node's and no host's: who it is, `identify` says.
    checkServerIdentity: () => undefined,
  });
  try {
    await settled(socket, 'secureConnect', { ...wait, failed: handshakeFailure });
  } catch (error) {
    raw.destroy();
    throw error;
  }
  return socket;
}

interface Wait {
  stop: AbortSignal;
  why: () => string;
  failed: (error: Error) => Error;
}

/** Waits for an event of a socket; whatever else happens ends it. A socket without an error listener would end the program. */
function settled(socket: Socket, event: 'connect' | 'secureConnect', { stop, why, failed }: Wait): Promise<void> {
  socket.on('error', () => socket.destroy());
  return new Promise((resolve, reject) => {
    const finish = (error?: Error): void => {
      stop.removeEventListener('abort', onStop);
      socket.off(event, onDone).off('error', onError).off('close', onClose);
      if (error === undefined) return resolve();
      socket.destroy();
      reject(error);
    };
    const onStop = (): void => finish(new LinkError(why()));
    const onDone = (): void => finish();
    const onError = (error: Error): void => finish(failed(error));
    const onClose = (): void => finish(new LinkError('it closed the connection during the handshake'));
    stop.addEventListener('abort', onStop);
    socket.once(event, onDone).once('error', onError).once('close', onClose);
    if (stop.aborted) onStop();
  });
}

/** OpenSSL's error codes, as Node gives them; seen at either end. */
const FAILURES: readonly (readonly [code: RegExp, reason: string])[] = [
  [
    /NO_APPLICATION_PROTOCOL/,
    'it wants the port for something else (is the right port configured, is one of us too old?)',
  ],
  [/UNSUPPORTED_PROTOCOL|PROTOCOL_VERSION|VERSION_TOO_LOW/, 'it does not speak TLS 1.3'],
  [/WRONG_VERSION_NUMBER|HTTP_REQUEST|PACKET_LENGTH|UNEXPECTED_MESSAGE|RECORD/, 'it does not speak TLS'],
  [/HANDSHAKE_TIMEOUT/, 'the handshake took too long'],
  [/CERTIFICATE_REQUIRED/, 'it wants a certificate'],
  [/ALERT_(UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE)/, 'it does not accept the certificate of this node'],
  [/ECONNRESET|EPIPE/, 'it closed the connection during the handshake'],
];

/** What went wrong with a handshake, in words. */
export function handshakeFailure(error: Error): LinkError | IdentityError {
  const code = errnoOf(error) ?? '';
  const reason = FAILURES.find(([pattern]) => pattern.test(code))?.[1];
  if (code.startsWith('ERR_SSL'))
    return new IdentityError('not-authenticated', reason ?? messageOf(error), { cause: error });
  return new LinkError(reason ?? reasonOf(error), { cause: error });
}
