/**
 * A node's identity on its disk, in one directory that only its owner may enter:
 *
 *     node.key       this node's private key
 *     node.crt       its certificate
 *     charter.json   the newest charter this node has seen
 *     authority.key  on the node that signs: the authority's private key
 *     authority.next there, while another authority replaces it: the new one's
 *     tokens.json    there, too: what join tokens were given out
 *     renewed.json   there, too: which nodes have a certificate of the new authority
 *
 * Promise: each file is replaced as a whole or not at all, and a file that others may read is refused, not used.
 */
import { createPublicKey, X509Certificate } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

import { errnoOf, messageOf, reasonOf } from '../../lib/errors.ts';
import type { Credential } from './certificates.ts';
import { openCharter, type Charter, type SignedCharter } from './charter.ts';
import { IdentityError } from './identity_error.ts';
import type { TokenEntry } from './token.ts';

/** What a node shows and believes. */
export interface Identity extends Credential {
  readonly signed: SignedCharter;
  readonly charter: Charter;
}

const FILES = {
  key: 'node.key',
  certificate: 'node.crt',
  charter: 'charter.json',
  authority: 'authority.key',
  next: 'authority.next',
  tokens: 'tokens.json',
  renewed: 'renewed.json',
} as const;
type File = keyof typeof FILES;

export class IdentityStore {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** This node's identity; undefined if it belongs to no cluster. @throws IdentityError */
  load(): Identity | undefined {
    const key = this.#read('key');
    const certificate = this.#read('certificate');
    const text = this.#read('charter');
    if (key === undefined || certificate === undefined || text === undefined) return undefined;
    const signed = this.#parse('charter', text) as SignedCharter; // cast: openCharter looks
    return { key, certificate, signed, charter: this.#ownCharter(signed) };
  }

  /** As `load`, of a node that is in a cluster. @throws IdentityError */
  own(): Identity {
    const identity = this.load();
    if (identity === undefined)
      throw new IdentityError('failed', `Cannot use ${this.directory}: this node belongs to no cluster`);
    return identity;
  }

  /** When the charter was written last, nanoseconds: another one, another time; 0 if there is none. */
  charterWritten(): bigint {
    return statSync(join(this.directory, FILES.charter), { bigint: true, throwIfNoEntry: false })?.mtimeNs ?? 0n;
  }

  /** The authority, on the node that holds its key. @throws IdentityError */
  authority({ authorities: [certificate] }: Charter): Credential | undefined {
    const { publicKey } = new X509Certificate(certificate);
    const keys = [this.#read('next'), this.#read('authority')].filter((key) => key !== undefined);
    const key = keys.find((each) => createPublicKey(each).equals(publicKey));
    return key === undefined ? undefined : { key, certificate };
  }

  tokens(): TokenEntry[] {
    const text = this.#read('tokens');
    return text === undefined ? [] : (this.#parse('tokens', text) as TokenEntry[]); // cast: written here
  }

  saveIdentity({ key, certificate, signed }: Omit<Identity, 'charter'>): void {
    this.#write('key', key);
    this.saveCharter(signed);
    // Without its certificate a node belongs to no cluster: that comes last.
    this.saveCertificate(certificate);
  }

  saveCertificate(certificate: string): void {
    this.#write('certificate', certificate);
  }

  saveCharter(signed: SignedCharter): void {
    this.#write('charter', `${JSON.stringify(signed)}\n`);
  }

  /** @param as `next`: beside the one that is there */
  saveAuthority({ key }: Pick<Credential, 'key'>, as: 'authority' | 'next' = 'authority'): void {
    this.#write(as, key);
    if (as === 'authority') rmSync(join(this.directory, FILES.next), { force: true });
  }

  renewed(): string[] {
    const text = this.#read('renewed');
    return text === undefined ? [] : (this.#parse('renewed', text) as string[]); // cast: written here
  }

  saveRenewed(nodes: readonly string[]): void {
    this.#write('renewed', `${JSON.stringify(nodes)}\n`);
  }

  saveTokens(tokens: readonly TokenEntry[]): void {
    this.#write('tokens', `${JSON.stringify(tokens)}\n`);
  }

  /** Leaves the cluster, as far as this disk is concerned. */
  remove(): void {
    for (const name of Object.values(FILES)) rmSync(join(this.directory, name), { force: true });
  }

  /** The file was signed when it was taken; signatures of authorities that it has replaced itself cannot be checked again. */
  #ownCharter(signed: SignedCharter): Charter {
    try {
      const { authorities } = JSON.parse(signed.text) as Charter; // cast: openCharter looks
      return openCharter(signed, authorities);
    } catch (error) {
      throw this.#unusable('charter', messageOf(error), error);
    }
  }

  #read(file: File): string | undefined {
    const path = join(this.directory, FILES[file]);
    try {
      const text = readFileSync(path, 'utf8');
      this.#checkMode(file, path);
      return text;
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      if (error instanceof IdentityError) throw error;
      throw this.#unusable(file, reasonOf(error), error);
    }
  }

  #checkMode(file: File, path: string): void {
    const { mode, uid } = statSync(path);
    const me = process.geteuid?.() ?? 0;
    if ((mode & 0o077) !== 0) {
      const octal = (mode & 0o777).toString(8).padStart(4, '0');
      throw this.#unusable(file, `others may read it (mode ${octal}); run: chmod 600 ${path}`);
    }
    if (uid !== me && uid !== 0) throw this.#unusable(file, `it belongs to user ${uid}, not to user ${me}`);
  }

  #parse(file: File, text: string): unknown {
    try {
      return JSON.parse(text);
    } catch (error) {
      throw this.#unusable(file, 'it is not JSON', error);
    }
  }

  #unusable(file: File, reason: string, cause?: unknown): IdentityError {
    return new IdentityError('failed', `Cannot use ${join(this.directory, FILES[file])}: ${reason}`, { cause });
  }

  #write(file: File, text: string): void {
    const path = join(this.directory, FILES[file]);
    const partial = `${path}.${process.pid}`;
    try {
      mkdirSync(this.directory, { recursive: true, mode: 0o700 });
      const fd = openSync(partial, 'w', 0o600);
      try {
        writeSync(fd, text);
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
      renameSync(partial, path);
    } catch (error) {
      rmSync(partial, { force: true });
      throw new IdentityError('failed', `Cannot write ${path}: ${reasonOf(error)}`, { cause: error });
    }
  }
}
