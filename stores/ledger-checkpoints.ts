import { type LedgerCheckpoint, type LedgerInclusion, ledgerCheckpoint } from '../models/contracts/ledger-checkpoint.ts';
import { UnderstudyError } from '../models/contracts/problem.ts';
import { type GenerationStore, parseGeneration } from './generations.ts';
import { keyInForceOf, ledgerTexts, signerFor } from './ledger.ts';
import { consistencyProof, inclusionProof, leafHash, treeHead } from './merkle.ts';

const seriesOf = (surface: string) => `ledger-checkpoint/${surface}`;
/** Another checkpoint is due behind so many entries, which a release has, or so long after the one before, whichever is sooner. */
const due = { entries: 10, afterMs: 86_400_000 } as const;

export async function listCheckpoints(generations: GenerationStore, surface: string): Promise<LedgerCheckpoint[]> {
  const series = seriesOf(surface);
  const last = (await generations.latest(series))?.generation ?? 0;
  const found: LedgerCheckpoint[] = [];
  for (let generation = 1; generation <= last; generation += 1)
    found.push(parseGeneration(ledgerCheckpoint, { series, generation, document: await generations.read(series, generation) }));
  return found;
}

/**
 * Writes down how the ledger stands, where that is due, or wanted now; signed, where the ledger is.
 * @returns the checkpoint that was written
 * @throws UND-SIGNING-KEY where the ledger is signed, and this process cannot; UND-DIGEST when the ledger does not hold what the checkpoint before it knows
 */
export async function checkpointLedger(
  generations: GenerationStore,
  { surface, nowMs, isWanted = false }: { surface: string; nowMs: number; isWanted?: boolean },
): Promise<LedgerCheckpoint | undefined> {
  const latest = await generations.latest(seriesOf(surface));
  const before = latest && parseGeneration(ledgerCheckpoint, { series: seriesOf(surface), ...latest });
  const size = (await generations.latest(`ledger/${surface}`))?.generation ?? 0;
  const added = size - (before?.size ?? 0);
  if (added === 0 || (!isWanted && before !== undefined && added < due.entries && nowMs - before.atMs < due.afterMs)) return undefined;
  const leaves = (await ledgerTexts(generations, surface)).slice(0, size).map(leafHash);
  if (before !== undefined && treeHead(leaves.slice(0, before.size)) !== before.root)
    throw new UnderstudyError('UND-DIGEST', `The ledger of ${surface} is not the one of checkpoint ${before.number}: understudy ledger verify ${surface}`);
  const document = ledgerCheckpoint.parse({
    kind: 'ledger-checkpoint',
    surface,
    number: (before?.number ?? 0) + 1,
    size,
    root: treeHead(leaves),
    atMs: nowMs,
    previous: before === undefined ? null : { size: before.size, root: before.root, proof: consistencyProof(leaves, before.size) },
  });
  const keyInForce = await keyInForceOf(generations, surface);
  const signed = keyInForce === undefined ? undefined : signerFor(generations, surface, keyInForce)?.sign(document);
  const checkpoint: LedgerCheckpoint = signed === undefined ? document : { ...document, signed };
  try {
    await generations.create(seriesOf(surface), checkpoint.number, checkpoint);
    return checkpoint;
  } catch (error) {
    // Another process wrote one in the same moment.
    if (error instanceof UnderstudyError && error.code === 'UND-GENERATION-TAKEN') return undefined;
    throw error;
  }
}

/** That entries stand in the ledger, each by the first checkpoint that holds it; those that none holds yet are left out. */
export async function proveInclusion(
  generations: GenerationStore,
  { surface, sequences }: { surface: string; sequences: readonly number[] },
): Promise<LedgerInclusion[]> {
  const checkpoints = await listCheckpoints(generations, surface);
  const leaves = (await ledgerTexts(generations, surface)).map(leafHash);
  return sequences.flatMap((sequence) => {
    const checkpoint = checkpoints.find(({ size }) => size >= sequence);
    if (checkpoint === undefined) return [];
    const { size, root, number } = checkpoint;
    return [{ sequence, leaf: leaves[sequence - 1] ?? '', size, root, checkpoint: number, proof: inclusionProof(leaves.slice(0, size), sequence - 1) }];
  });
}
