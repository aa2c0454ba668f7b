import { z } from 'zod';
import { type FlagChange, flagChange, type FlagMode, type ItemMark, itemMark, marksAtMost, standingMarks } from '../models/contracts/flag.ts';
import { UnderstudyError } from '../models/contracts/problem.ts';
import { type FlagBook, type OpenFlagBook, takeMarks } from '../models/contracts/flag-book.ts';
import { type BlobStore, getDocument, putDocument } from './blobs.ts';
import { type GenerationStore, parseGeneration } from './generations.ts';

type Stores = { blobs: BlobStore; generations: GenerationStore };
const seriesOf = (surface: string): string => `flags/${surface}`;

/** Lists are read one at a time, so that whoever reads one serves in between. */
const marksPerList = 5_000;
/** A reader that begins reads the newest base and at most so many changes. */
const changesPerBase = 50;
const itemMarks = z.array(itemMark);

export type NewMarks = {
  surface: string;
  source: string;
  by: string;
  why: string;
  mode: FlagMode;
  marks: readonly ItemMark[];
  operationId: string;
  nowMs: number;
  /** When the source looked at the items; now where absent. */
  asOfMs?: number | undefined;
};

/**
 * Writes what a source says of items as the next number of the surface's flags: it is durable, and whole, once this has resolved. A repetition of the same
 * operation, as long as it is among the newest ones, finds itself.
 * @throws UND-INPUT where the source looked later than now, or says more at once than a reader takes
 */
export async function putMarks(stores: Stores, { marks, nowMs, asOfMs = nowMs, ...said }: NewMarks): Promise<FlagChange> {
  const { surface, operationId } = said;
  if (asOfMs > nowMs) throw new UnderstudyError('UND-INPUT', `The source cannot have looked at ${new Date(asOfMs).toISOString()}: that is later than now`);
  if (marks.length > marksAtMost) throw new UnderstudyError('UND-INPUT', `${marks.length} marks at once: at most ${marksAtMost} can be`);
  const lists = await putLists(stores.blobs, marks);
  const reader = openFlagReader({ ...stores, surface });
  for (;;) {
    const latest = await latestChange(stores.generations, surface);
    const own = await writtenBefore(stores.generations, latest, operationId);
    if (own !== undefined) return own;
    const through = latest?.generation ?? 0;
    const isDue = through - (latest?.base?.through ?? 0) >= changesPerBase;
    if (isDue) await reader.look();
    const base = isDue ? { through: reader.generation(), standing: await putStanding(stores.blobs, reader.book()) } : (latest?.base ?? null);
    const next = flagChange.parse({ ...said, kind: 'flags', generation: through + 1, atMs: nowMs, asOfMs, marks: lists, count: marks.length, base });
    try {
      await stores.generations.create(seriesOf(surface), next.generation, next);
      return next;
    } catch (error) {
      if (!(error instanceof UnderstudyError && error.code === 'UND-GENERATION-TAKEN')) throw error;
    }
  }
}

export type FlagReader = {
  /**
   * Takes in what is new, up to a number where one is given.
   * @returns whether there was any. @throws where it cannot be read: what is known stays
   */
  look(upTo?: number): Promise<boolean>;
  /** Changed in place by `look`; `generation` tells how. */
  book(): FlagBook;
  generation(): number;
};

/** Reads the flags of a surface as they are written, each once. */
export function openFlagReader({ surface, ...stores }: Stores & { surface: string }): FlagReader {
  let book: OpenFlagBook = new Map();
  let known = 0;

  async function look(upTo?: number): Promise<boolean> {
    const latest = upTo === undefined ? await latestChange(stores.generations, surface) : await readFlagChange(stores.generations, surface, upTo);
    if ((latest?.generation ?? 0) < known) throw new UnderstudyError('UND-STATE', `The flags of ${surface} were at number ${known} and are not there any more`);
    if (latest === undefined || latest.generation === known) return false;
    const base = latest.base !== null && latest.base.through > known ? latest.base : null;
    // Nothing is in force before all of it has been read.
    const fresh = base === null ? null : await readStanding(stores.blobs, base.standing);
    const changes: { change: FlagChange; marks: ItemMark[] }[] = [];
    for (let number = (base?.through ?? known) + 1; number <= latest.generation; number += 1) {
      const change = number === latest.generation ? latest : await readFlagChange(stores.generations, surface, number);
      const marks: ItemMark[] = [];
      for (const list of change.marks) marks.push(...(await getDocument(stores.blobs, list, itemMarks)));
      changes.push({ change, marks });
    }
    if (fresh !== null) book = fresh;
    for (const { change, marks } of changes) takeMarks(book, change, marks);
    known = latest.generation;
    return true;
  }

  return { look, book: () => book, generation: () => known };
}

async function latestChange(generations: GenerationStore, surface: string): Promise<FlagChange | undefined> {
  const latest = await generations.latest(seriesOf(surface));
  return latest === undefined ? undefined : parseGeneration(flagChange, { series: seriesOf(surface), ...latest });
}

export async function readFlagChange(generations: GenerationStore, surface: string, generation: number): Promise<FlagChange> {
  const series = seriesOf(surface);
  return parseGeneration(flagChange, { series, generation, document: await generations.read(series, generation) });
}

/** Of the newest changes; whoever repeats an operation does so soon. */
async function writtenBefore(generations: GenerationStore, latest: FlagChange | undefined, operationId: string): Promise<FlagChange | undefined> {
  if (latest === undefined) return undefined;
  for (let change = latest; ; change = await readFlagChange(generations, latest.surface, change.generation - 1)) {
    if (change.operationId === operationId) return change;
    if (change.generation === 1 || change.generation <= latest.generation - changesPerBase) return undefined;
  }
}

async function putLists(blobs: BlobStore, entries: readonly unknown[]): Promise<string[]> {
  const lists: string[] = [];
  for (let from = 0; from < entries.length; from += marksPerList) lists.push(await putDocument(blobs, entries.slice(from, from + marksPerList)));
  return lists;
}

function putStanding(blobs: BlobStore, book: FlagBook): Promise<string[]> {
  return putLists(
    blobs,
    [...book].flatMap(([source, marks]) => [...marks].map(([itemId, mark]) => [source, itemId, mark])),
  );
}

async function readStanding(blobs: BlobStore, lists: readonly string[]): Promise<OpenFlagBook> {
  const book: OpenFlagBook = new Map();
  for (const list of lists) {
    for (const [source, itemId, mark] of await getDocument(blobs, list, standingMarks)) {
      const own = book.get(source) ?? new Map();
      book.set(source, own.set(itemId, mark));
    }
  }
  return book;
}
