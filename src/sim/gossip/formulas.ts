/**
 * The age of MOSIX's information vector as mathematics has it, in periods (Amar, Barak, Drezner, Peer: "Gossip algorithms for
 * maintaining a distributed bulletin board with guaranteed age properties").
 */

export interface ExpectedAges {
  mean: number;
  max: number;
}

/** @param n Nodes. @param w Entries in a message, the sender's own with them; below n. */
export function expectedAges(n: number, w: number): ExpectedAges {
  // T(w): for how long an entry is among the w freshest; X(T): how many nodes it has reached by then.
  const time = ((n - 1) / n) * Math.log((w * (n - 1)) / (n - w));
  const e = Math.exp((n * time) / (n - 1));
  const reached = (n * e) / (n - 1 + e);
  const onTheWay = time - ((n - 1) / reached) * (Math.log(n - 1 + e) - Math.log(n));
  const missed = 1 - 1 / (n - 1);
  return {
    mean: 1 / (1 - missed ** reached) + onTheWay,
    max: -(Math.log(n) + 0.577) / (reached * Math.log(missed)),
  };
}
