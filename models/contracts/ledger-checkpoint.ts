import { z } from 'zod';
import { digestString, epochMs, surfaceName } from './ids.ts';
import { signature } from './signature.ts';

/** A hash of a Merkle tree, SHA-256 in hex. */
const treeHash = z.string().regex(/^[0-9a-f]{64}$/);
const head = { size: z.number().int().min(1), root: treeHash };

/**
 * How a surface's ledger stood: the head of the Merkle tree (stores/merkle.ts) over its first `size` entries, each one's canonical JSON a leaf. A generation
 * of `ledger-checkpoint/<surface>`. `proof`: that the tree before is a part of this one.
 */
export const ledgerCheckpoint = z.strictObject({
  kind: z.literal('ledger-checkpoint'),
  surface: surfaceName,
  number: z.number().int().min(1),
  ...head,
  atMs: epochMs,
  previous: z.strictObject({ ...head, proof: z.array(treeHash) }).nullable(),
  /** Over the checkpoint without this field; absent where the ledger is not signed. */
  signed: signature.optional(),
});
export type LedgerCheckpoint = z.infer<typeof ledgerCheckpoint>;

/** First line of an exported ledger; its entries follow, and then its checkpoints, each a line of canonical JSON. */
export const ledgerExport = z.strictObject({
  kind: z.literal('ledger-export'),
  surface: surfaceName,
  entries: z.number().int().min(0),
  /** Digest of the last entry. */
  head: digestString.nullable(),
  /** Digests of the checkpoints. */
  checkpoints: z.array(digestString),
});
export type LedgerExport = z.infer<typeof ledgerExport>;

/** That an entry stands in a ledger: leads from its leaf to the root of a checkpoint (RFC 9162, section 2.1.3). */
export const ledgerInclusion = z.strictObject({
  sequence: z.number().int().min(1),
  leaf: treeHash,
  ...head,
  checkpoint: z.number().int(),
  proof: z.array(treeHash),
});
export type LedgerInclusion = z.infer<typeof ledgerInclusion>;
