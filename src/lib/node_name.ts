/** The rule for names of nodes: safe in logs, in paths, on a command line and in one byte of length. */

/** Bytes of a node's name. */
export const MAX_NODE_NAME_BYTES = 64;
/** The rule in words, for messages. */
export const NODE_NAME_RULE = `it must begin with a letter or digit and may have letters, digits, ".", "_" and "-", at most ${MAX_NODE_NAME_BYTES}`;

const NODE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
/** Tells whether a node may be called so. */
export function isNodeName(name: string): boolean {
  return name.length <= MAX_NODE_NAME_BYTES && NODE_NAME.test(name);
}
