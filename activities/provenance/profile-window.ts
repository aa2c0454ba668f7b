import type { WindowManifest } from '../../models/contracts/window.ts';
import { inScratch, type State } from '../context.ts';
import { withDuck } from '../events/duckdb.ts';
import { slicesSql } from '../events/event-columns.ts';

/** What is in a part of a window, as its slices have it now: those that were erased since count no more. */
export type PartProfile = {
  slices: number;
  missing: number;
  events: number;
  users: number;
  sessions: number;
  items: number;
  firstMs: number | null;
  lastMs: number | null;
  byKind: { kind: string; events: number }[];
};
export type WindowProfile = { train: PartProfile; test: PartProfile };

export async function profileWindow(state: Pick<State, 'root' | 'blobs'>, window: WindowManifest): Promise<WindowProfile> {
  return { train: await profileOf(state, window.trainSlices), test: await profileOf(state, window.testSlices) };
}

async function profileOf(state: Pick<State, 'root' | 'blobs'>, slices: WindowManifest['trainSlices']): Promise<PartProfile> {
  const there: string[] = [];
  for (const { digest } of slices) if (await state.blobs.has(digest)) there.push(await state.blobs.localPath(digest));
  const missing = slices.length - there.length;
  const empty = { slices: slices.length, missing, events: 0, users: 0, sessions: 0, items: 0, firstMs: null, lastMs: null, byKind: [] };
  if (there.length === 0) return empty;
  return inScratch(state, 'profile', (workDir) =>
    withDuck({ workDir }, async (duck) => {
      const from = slicesSql(there);
      const [whole] = await duck.rows<Omit<PartProfile, 'slices' | 'missing' | 'byKind'>>(
        `SELECT count(*)::DOUBLE AS events, count(DISTINCT user_id)::DOUBLE AS users, count(DISTINCT session_id)::DOUBLE AS sessions,
           count(DISTINCT item_id)::DOUBLE AS items, min(at_ms)::DOUBLE AS "firstMs", max(at_ms)::DOUBLE AS "lastMs" FROM ${from}`,
      );
      const byKind = await duck.rows<PartProfile['byKind'][number]>(
        `SELECT kind, count(*)::DOUBLE AS events FROM ${from} GROUP BY kind ORDER BY events DESC, kind`,
      );
      return { ...empty, ...whole, byKind };
    }),
  );
}
