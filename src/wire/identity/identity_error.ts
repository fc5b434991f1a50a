/** Who the other side is, or who this node is, cannot be shown. */

/** As in the engine's control protocol, where it goes to whoever asked. */
export type IdentityErrorCode = 'not-authenticated' | 'version-mismatch' | 'failed';

export class IdentityError extends Error {
  readonly code: IdentityErrorCode;

  /** @param message The whole sentence, or the reason where the caller says what could not be done. */
  constructor(code: IdentityErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'IdentityError';
    this.code = code;
  }
}
