/** What was thrown, looked at without trusting that it is an Error. */

/** A sentence for the user or the log. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The errno name that Node puts on errors of system calls, such as `ENOENT`. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or directory',
  EACCES: 'this user may not do that',
  EPERM: 'this user may not do that',
  EISDIR: 'it is a directory',
  ENOTDIR: 'a part of the path is not a directory',
  EADDRINUSE: 'another program uses this address and port',
  EADDRNOTAVAIL: 'this machine does not have this address',
  ECONNREFUSED: 'nothing accepts connections there',
  EHOSTUNREACH: 'the machine cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
  ETIMEDOUT: 'the machine does not answer',
  ECONNRESET: 'the other side broke the connection',
  EPIPE: 'the other side closed the connection',
};

/** Why a system call failed, in words where we have some. */
export function reasonOf(error: unknown): string {
  return REASONS[errnoOf(error) ?? ''] ?? messageOf(error);
}
