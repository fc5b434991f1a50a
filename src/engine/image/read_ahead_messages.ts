/** What the two sides tell each other about files that are read ahead (docs/internals/read_ahead.md). */

/** Bytes of one part. Larger: fewer messages; smaller: less that nobody reads. */
export const readUnit = 256 * 1024;

/** May I answer reads of this descriptor? `grant` is a number that comes once on a link. */
export interface ReadWish {
  readonly grant: number;
  readonly fd: number;
}

/** Yes, from this position on, or (without one) no. */
export interface ReadLeave {
  readonly grant: number;
  readonly position?: number;
  readonly size?: number;
}
