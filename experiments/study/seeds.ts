import { digestBytes } from '../../models/contracts/digest.ts';

/** A log's own seed: by the study's, the cell's name and its place. */
export function seedOf({ cell, seed, replication }: { cell: string; seed: number; replication: number }): number {
  const named = Number.parseInt(digestBytes(`${seed}/${cell}`).slice('sha256:'.length, 'sha256:'.length + 8), 16);
  return named * 2 ** 20 + replication;
}

/** Twelve digits that name some lines. */
export function shortDigest(lines: readonly string[]): string {
  return digestBytes(lines.join('\n')).slice('sha256:'.length, 'sha256:'.length + 12);
}
