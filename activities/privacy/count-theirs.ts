import type { Subjects } from '../../models/contracts/erasure.ts';
import { dataState, type SliceReference } from '../../models/contracts/window.ts';
import { type State, readLatest } from '../context.ts';
import { withDuck } from '../events/duckdb.ts';
import { listSurfaces } from '../registry/charters.ts';
import { filesWith, isTheirs, loadPersons, type ParquetKind, parquetBlobs, wholeOf } from './person-sql.ts';

export type Theirs = { surface: string; events: number; changes: number; quarantined: number; days: number };

/** What the data of each surface hold of these people now; surfaces with nothing are left out. */
export async function countTheirs({ state, people }: { state: State; people: Subjects }): Promise<Theirs[]> {
  const counts: Theirs[] = [];
  await withDuck({ workDir: undefined }, async (duck) => {
    const { events: paths, changes: logins } = await parquetBlobs({ duck, blobs: state.blobs });
    await loadPersons(duck, await wholeOf({ duck, paths, changes: logins, people }));
    for (const surface of await listSurfaces(state)) {
      const data = (await readLatest(state.generations, `data/${surface}`, dataState))?.document;
      if (data === undefined) continue;
      const hits = async (kind: ParquetKind, references: readonly Pick<SliceReference, 'digest'>[]) =>
        filesWith({ duck, kind, doomed: isTheirs, paths: await Promise.all(references.map(({ digest }) => state.blobs.localPath(digest))) });
      const [events, changes, quarantine] = [
        await hits('events', data.slices),
        await hits('changes', data.changes ?? []),
        await hits('quarantine', data.quarantine ?? []),
      ];
      const sum = (found: ReadonlyMap<string, number>) => [...found.values()].reduce((total, rows) => total + rows, 0);
      if (events.size + changes.size + quarantine.size > 0)
        counts.push({ surface, events: sum(events), changes: sum(changes), quarantined: sum(quarantine), days: events.size });
    }
  });
  return counts;
}
