import { createHash } from 'node:crypto';

/*
 * Merkle trees as in RFC 9162 (Certificate Transparency 2.0), section 2.1; the same as in RFC 6962. Hashes are SHA-256, in hex. A proof is a list of them.
 */

const sha256 = (...parts: readonly (string | Uint8Array)[]): string => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
};
const leafPrefix = Uint8Array.of(0);
const nodePrefix = Uint8Array.of(1);

/** RFC 9162, section 2.1.1: SHA-256(0x00 || entry). */
export const leafHash = (entry: string | Uint8Array): string => sha256(leafPrefix, entry);
/** The same section: SHA-256(0x01 || left || right). */
const nodeHash = (left: string, right: string): string => sha256(nodePrefix, Buffer.from(left, 'hex'), Buffer.from(right, 'hex'));

/** The largest power of two smaller than n, for n > 1. */
const splitOf = (n: number): number => 2 ** (Math.ceil(Math.log2(n)) - 1);

/** The tree's head, section 2.1.1. @param leaves hashes of leaves */
export function treeHead(leaves: readonly string[]): string {
  if (leaves.length === 0) return sha256();
  if (leaves.length === 1) return leaves[0] as string;
  const split = splitOf(leaves.length);
  return nodeHash(treeHead(leaves.slice(0, split)), treeHead(leaves.slice(split)));
}

/** PATH(index, leaves), section 2.1.3.1. @param index from 0 */
export function inclusionProof(leaves: readonly string[], index: number): string[] {
  if (leaves.length <= 1) return [];
  const split = splitOf(leaves.length);
  const [left, right] = [leaves.slice(0, split), leaves.slice(split)];
  return index < split ? [...inclusionProof(left, index), treeHead(right)] : [...inclusionProof(right, index - split), treeHead(left)];
}

/** Section 2.1.3.2. @param index from 0 */
export function isIncluded({ leaf, index, size, root, proof }: { leaf: string; index: number; size: number; root: string; proof: readonly string[] }): boolean {
  if (index >= size) return false;
  let [fn, sn, r] = [index, size - 1, leaf];
  for (const p of proof) {
    if (sn === 0) return false;
    if (fn % 2 === 1 || fn === sn) {
      r = nodeHash(p, r);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [half(fn), half(sn)];
    } else r = nodeHash(r, p);
    [fn, sn] = [half(fn), half(sn)];
  }
  return sn === 0 && r === root;
}
const half = (n: number): number => Math.floor(n / 2);

/** PROOF(size, leaves), section 2.1.4.1: that the first `size` leaves are those of the tree that had no more. @param size 1 to the number of leaves */
export function consistencyProof(leaves: readonly string[], size: number): string[] {
  const subProof = (part: readonly string[], m: number, known: boolean): string[] => {
    if (m === part.length) return known ? [] : [treeHead(part)];
    const split = splitOf(part.length);
    return m <= split
      ? [...subProof(part.slice(0, split), m, known), treeHead(part.slice(split))]
      : [...subProof(part.slice(split), m - split, false), treeHead(part.slice(0, split))];
  };
  return subProof(leaves, size, true);
}

type Heads = { first: { size: number; root: string }; second: { size: number; root: string }; proof: readonly string[] };

/** Section 2.1.4.2: whether the second tree is the first with leaves behind it. */
export function isConsistent({ first, second, proof }: Heads): boolean {
  if (first.size < 1 || first.size > second.size) return false;
  if (first.size === second.size) return proof.length === 0 && first.root === second.root;
  // Where the first tree is a whole one, its head is a node of the second.
  const path = Number.isInteger(Math.log2(first.size)) ? [first.root, ...proof] : [...proof];
  let [fn, sn] = [first.size - 1, second.size - 1];
  while (fn % 2 === 1) [fn, sn] = [half(fn), half(sn)];
  const [seed, ...rest] = path;
  if (seed === undefined) return false;
  let [fr, sr] = [seed, seed];
  for (const c of rest) {
    if (sn === 0) return false;
    if (fn % 2 === 1 || fn === sn) {
      [fr, sr] = [nodeHash(c, fr), nodeHash(c, sr)];
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [half(fn), half(sn)];
    } else sr = nodeHash(sr, c);
    [fn, sn] = [half(fn), half(sn)];
  }
  return fr === first.root && sr === second.root && sn === 0;
}
