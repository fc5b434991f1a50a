/** What the commands' exit codes mean; scripts rely on them. */
export const EXIT = {
  done: 0,
  /** It failed and said why. */
  failed: 1,
  usage: 2,
  /** No daemon here, or the node cannot be reached (EX_UNAVAILABLE of sysexits.h). */
  unavailable: 69,
  /** Another user's process (EX_NOPERM of sysexits.h). */
  notPermitted: 77,
  /** As shells say it: the program was found but cannot be run. */
  notExecutable: 126,
  notFound: 127,
} as const;

/** A command cannot do what it was asked; `message` goes to the user and `exitCode` to the caller. */
export class CommandError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CommandError';
    this.exitCode = exitCode;
  }
}
