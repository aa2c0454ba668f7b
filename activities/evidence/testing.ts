import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CatalogItem } from '../../models/contracts/catalog-item.ts';
import type { CharterInput } from '../../models/contracts/charter.ts';
import type { Event } from '../../models/contracts/event.ts';
import type { Recipe } from '../../models/contracts/recipe.ts';
import type { WindowManifest } from '../../models/contracts/window.ts';
import { putDocument } from '../../stores/blobs.ts';
import type { Context } from '../context.ts';
import { ingestLog } from '../events/ingest-log.ts';
import { benchContext, quietBeat, testCharter } from '../events/testing.ts';
import { trainCandidate } from '../training/train-candidate.ts';
import { cutWindow } from '../windows/cut-window.ts';
import { mergeDataState } from '../windows/merge-data-state.ts';
import { freezeRecipe } from '../windows/prepare-retrain.ts';
import { measureOffline } from './measure-offline.ts';

/** What happened to whom: the other fields follow. */
export type Happening = { kind?: Event['kind']; user: string; item: string; atMs: number };

/**
 * A state directory with events of one surface, its window, and models that are trained as the pipeline trains them. The catalog has each item
 * that is in the events, as `catalog` says where it does, and what else that has.
 */
export async function openEvidence(input: {
  happenings: readonly Happening[];
  charter?: Partial<CharterInput>;
  catalog?: readonly CatalogItem[];
  nowMs: number;
}) {
  const folder = await mkdtemp(join(tmpdir(), 'understudy-offline-'));
  const context: Context = benchContext(join(folder, 'state'), { now: () => input.nowMs });
  const { blobs } = context.state;
  const charter = testCharter(input.charter);
  const charterDigest = await putDocument(blobs, charter);
  const known = new Map(input.catalog?.map((item) => [item.itemId, item]));
  const itemIds = [...new Set([...input.happenings.map(({ item }) => item), ...known.keys()])].sort();
  const catalog = itemIds.map((itemId): CatalogItem => known.get(itemId) ?? { itemId, title: itemId, inStock: true });
  async function* events() {
    for (const [number, { kind = 'purchase', user, item, atMs }] of input.happenings.entries())
      yield { schemaVersion: 1, eventId: `e${number}`, kind, surface: 'home', userId: user, sessionId: `s-${user}`, itemId: item, atMs } satisfies Event;
  }
  const { manifest, digest } = await ingestLog({
    surface: 'home',
    charter,
    sourceName: 'file',
    events: events(),
    previous: { slices: [] },
    catalog: await putDocument(blobs, catalog),
    blobs,
    workDir: join(folder, 'work'),
    nowMs: input.nowMs,
  });
  const dataState = mergeDataState({ previous: undefined, manifest, manifestDigest: digest });
  const window = cutWindow({ dataState, charter, rulesDigest: manifest.rulesDigest });
  return {
    context,
    charter,
    catalog,
    window,
    dataState,
    async train(algorithm: string, params: Recipe['params'] = {}, on: WindowManifest = window): Promise<string> {
      const recipe = await freezeRecipe(context, charter, { name: algorithm, algorithm, params });
      const work = { window: await putDocument(blobs, on), recipe: await putDocument(blobs, recipe), charter: charterDigest };
      return (await trainCandidate(context, { surface: 'home', candidate: algorithm, ...work }, quietBeat)).artifact;
    },
    measure: (candidate: string, champion: string | null = null, change: Partial<Parameters<typeof measureOffline>[1]> = {}) =>
      measureOffline(context.state, { window, charter, catalog, candidate, champion, seed: 1, ...quietBeat, ...change }),
    close: () => rm(folder, { recursive: true, force: true }),
  };
}
