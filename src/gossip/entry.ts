/**
 * What a node says about itself, and what the others know of it: the currency between measuring, gossip and balancing.
 *
 * Gossip carries entries and looks into them only to encode them (entry_codec.ts); what they mean is decided by those who
 * measure and those who balance. A field that a node does not know is 0, '' or empty, never absent, so that nobody needs to
 * ask which version wrote it; 0 is the value that makes the node the least attractive or changes nothing.
 */

/** One measurement of a node by itself. */
export interface NodeEntry {
  /** 100 = one CPU-bound task on one CPU of standard speed; smoothed; with what was accepted and has not arrived yet. */
  readonly load: number;
  /** Of one CPU; 10000 = standard. */
  readonly speed: number;
  /** Effective CPUs under quota and cpuset, in steps of a thousandth: 0.2 is a fifth of one. */
  readonly cpus: number;
  readonly architecture: Architecture;
  /** Bit k (of byte k >> 3, lowest first): feature k of the architecture's list, to which features are only ever appended. */
  readonly cpuFeatures: Uint8Array;
  /** Bytes that programs could still take (MemAvailable, below the cgroup's limit). */
  readonly freeMemory: number;
  /** Bytes. */
  readonly totalMemory: number;
  /** Bytes. */
  readonly freeSwap: number;
  /** Bytes. */
  readonly totalSwap: number;
  /** Per cent of the last 10 s in which some task waited (PSI `some avg10`), in steps of a hundredth. */
  readonly pressure: { readonly cpu: number; readonly memory: number; readonly io: number };
  /** Per cent of the effective CPUs that is in use. */
  readonly utilisation: number;
  /** Of programs at home: block input and output. */
  readonly localIo: Rates;
  /** Of programs that are away from here: calls made here for them. */
  readonly remoteIo: Rates;
  /** Between processes of one node. */
  readonly localIpc: Rates;
  /** Between processes, over the network. */
  readonly remoteIpc: Rates;
  /** Programs of other nodes that run here, and those that are on their way. */
  readonly guests: number;
  /** Guests that it takes at most; 65535: no limit. */
  readonly maxGuests: number;
  /** Own programs that are away. */
  readonly away: number;
  readonly status: NodeStatus;
  /** Milliseconds by which its CLOCK_REALTIME is ahead of the median of the cluster as it sees it, in steps of a hundredth. */
  readonly clockOffsetMs: number;
  /** Of the software, such as "0.1.0"; at most 24 bytes. */
  readonly version: string;
  /** Of the machine. */
  readonly uptimeSeconds: number;
  /** Users who have sessions. */
  readonly users: number;
}

export type Architecture = 'unknown' | 'x64' | 'arm64';

export interface Rates {
  readonly callsPerSecond: number;
  readonly bytesPerSecond: number;
}

/** What the owner has said (mosctl). */
export interface NodeStatus {
  /** Own programs do not leave by themselves. */
  readonly stay: boolean;
  /** Programs of this node stay, guests may go on. */
  readonly lstay: boolean;
  /** Takes no guests. */
  readonly block: boolean;
  /** No own programs. */
  readonly hostingOnly: boolean;
  /** It is being shut down or emptied. */
  readonly leaving: boolean;
  /** Its owner works at it: guests leave. */
  readonly ownerPresent: boolean;
  /** Its engine does not run. */
  readonly engineDown: boolean;
}

/** As in SWIM. */
export type MemberState = 'alive' | 'suspect' | 'dead' | 'left';

/** Who a node is and how it is reached; it changes with its incarnation only. */
export interface NodeCard {
  readonly name: string;
  /** IPv4 or IPv6. */
  readonly address: string;
  /** Between two mosd: TCP for links, UDP for gossip. */
  readonly port: number;
  /** Between two engines. */
  readonly guestPort: number;
}

/** What this node knows of another, or of itself. */
export interface KnownNode extends NodeCard {
  readonly state: MemberState;
  readonly self: boolean;
  /** Since the entry was measured; Infinity while there is none. */
  readonly ageMs: number;
  /** Undefined until the first one came. */
  readonly entry: NodeEntry | undefined;
}

/** The information vector, as measuring and balancing see it. */
export interface InformationVector {
  /** Replaces this node's own entry: what others hear from now on. */
  publish(entry: NodeEntry): void;
  /** All that are known, this node first, also dead ones as long as they are remembered. */
  nodes(): readonly KnownNode[];
  node(name: string): KnownNode | undefined;
}

/** Whether a program that may use the features in `needed` can run where `offered` is there. */
export function includesFeatures(offered: Uint8Array, needed: Uint8Array): boolean {
  return needed.every((bits, index) => (bits & ~(offered[index] ?? 0)) === 0);
}
