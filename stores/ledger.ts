import { digestJson } from '../models/contracts/digest.ts';
import { UnderstudyError } from '../models/contracts/problem.ts';
import { type LedgerEntry, ledgerEntry } from '../models/contracts/release.ts';
import { type GenerationStore, parseGeneration } from './generations.ts';

type NewEntry = Omit<LedgerEntry, 'kind' | 'sequence' | 'previous'>;
const seriesOf = (surface: string) => `ledger/${surface}`;

type Seen = { scannedTo: number; byOperation: Map<string, LedgerEntry> };
/** What this process has read of each ledger: entries never change, so each is read once. */
const seenOf = new WeakMap<GenerationStore, Map<string, Seen>>();

/**
 * Appends one decision to the surface's hash chain. A retry with the same `operationId` finds its own entry and adds none.
 * Writers race on the sequence number; the loser reads again.
 */
export async function appendLedger(generations: GenerationStore, entry: NewEntry): Promise<LedgerEntry> {
  const series = seriesOf(entry.surface);
  const ledgers = seenOf.get(generations) ?? new Map<string, Seen>();
  seenOf.set(generations, ledgers);
  const seen = ledgers.get(series) ?? { scannedTo: 0, byOperation: new Map() };
  ledgers.set(series, seen);
  for (;;) {
    const latest = await generations.latest(series);
    const last = latest?.generation ?? 0;
    for (let sequence = seen.scannedTo + 1; sequence <= last; sequence += 1) {
      const read = await readEntry(generations, entry.surface, sequence);
      seen.byOperation.set(read.operationId, read);
      seen.scannedTo = Math.max(seen.scannedTo, sequence);
    }
    const existing = seen.byOperation.get(entry.operationId);
    if (existing !== undefined) return existing;
    const next = ledgerEntry.parse({ ...entry, kind: 'ledger', sequence: last + 1, previous: latest === undefined ? null : digestJson(latest.document) });
    try {
      await generations.create(series, next.sequence, next);
      return next;
    } catch (error) {
      if (!(error instanceof UnderstudyError && error.code === 'UND-GENERATION-TAKEN')) throw error;
    }
  }
}

async function readEntry(generations: GenerationStore, surface: string, sequence: number): Promise<LedgerEntry> {
  return parseGeneration(ledgerEntry, { series: seriesOf(surface), generation: sequence, document: await generations.read(seriesOf(surface), sequence) });
}

/** All entries, oldest first. @throws UND-DIGEST when an entry does not name the digest of the one before it. */
export async function readLedger(generations: GenerationStore, surface: string): Promise<LedgerEntry[]> {
  const last = (await generations.latest(seriesOf(surface)))?.generation ?? 0;
  const entries: LedgerEntry[] = [];
  let previous: string | null = null;
  for (let sequence = 1; sequence <= last; sequence += 1) {
    const document = await generations.read(seriesOf(surface), sequence);
    const entry = parseGeneration(ledgerEntry, { series: seriesOf(surface), generation: sequence, document });
    if (entry.previous !== previous) throw new UnderstudyError('UND-DIGEST', `Ledger entry ${sequence} of ${surface} does not follow the one before it`);
    previous = digestJson(document);
    entries.push(entry);
  }
  return entries;
}
