import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { openState } from '../activities/context.ts';
import { openRanker } from '../activities/evidence/ranker.ts';
import { slateMaker } from '../activities/evidence/slate-maker.ts';
import type { CatalogItem } from '../models/contracts/catalog-item.ts';
import { type CharterInput, parseCharter } from '../models/contracts/charter.ts';
import { type SlateRecord, slateRecord } from '../models/contracts/slate.ts';
import { rankingDepth } from '../models/slate/diversify.ts';
import { call, canaryOf, makeServedState, startReplica, testCharter } from './testing.ts';

const count = 60;
/** Ten kinds of things, so that neighbours in a ranking are alike. */
const titled = (item: CatalogItem, index: number): CatalogItem => ({
  ...item,
  title: `thing ${Math.floor(index / 6)}`,
  category: `kind ${Math.floor(index / 12)}`,
});

/** A real replica: what it shows and what it records, and what the evaluation makes of the same rankings. */
async function open(change: Partial<CharterInput>) {
  const stateDir = await mkdtemp(join(tmpdir(), 'understudy-diversity-'));
  onTestFinished(() => rm(stateDir, { recursive: true, force: true, maxRetries: 5 }));
  const served = await makeServedState({ stateDir, itemCount: count, charter: change, catalog: titled });
  const [champion, challenger] = [await served.train('popularity'), await served.train('item-knn')];
  await served.publish({ champion, challenger, canary: canaryOf(challenger, { mode: 'shadow', share: 0 }) });
  const serving = await startReplica(stateDir);
  onTestFinished(() => serving.close());
  const state = openState(stateDir);
  const charter = parseCharter({ ...testCharter, ...change });
  const catalog = served.itemIds.map((itemId, index) => titled({ itemId, title: '', inStock: true }, index));
  const slateOf = slateMaker({ charter, catalog });
  return {
    async recommend(userId: string, history: string[]): Promise<string[]> {
      const context = { history: history.map((itemId) => ({ itemId, kind: 'purchase' })) };
      const { body } = await call(`${serving.url}/v1/recommend`, { surface: 'home', userId, context });
      return body.items.map(({ itemId }: { itemId: string }) => itemId);
    },
    async evaluated(artifact: 'champion' | 'challenger', history: string[], plain = false): Promise<string[]> {
      const ranker = await openRanker(state, { artifact: artifact === 'champion' ? champion : challenger, allowed: () => true });
      try {
        const ranked = await ranker.rank({ history, historyWeights: history.map(() => 4), exclude: [], count: rankingDepth(charter.slate) });
        return plain ? ranked.slice(0, charter.slate.size) : slateOf(ranked);
      } finally {
        await ranker.close();
      }
    },
    async records(): Promise<SlateRecord[]> {
      await call(`${serving.url}/v1/admin/seal`, { surface: 'home' });
      const reader = state.logReader('home', 'slates');
      const found: SlateRecord[] = [];
      for await (const one of reader.read((await reader.sealed()) ?? [])) found.push(slateRecord.parse(one));
      return found;
    },
  };
}

const diverse = { size: 8, diversity: { weight: 0.6, depth: 30 } };
const histories = [['i0003'], ['i0014', 'i0015'], ['i0050', 'i0001', 'i0033']];

it('what is served is what is evaluated: slates, and the unseen ones of a challenger', async () => {
  const { recommend, evaluated, records } = await open({ slate: diverse, exploration: { slots: 0 } });
  for (const [number, history] of histories.entries()) {
    const shown = await recommend(`u${number}`, history);
    expect(shown).toEqual(await evaluated('champion', history));
    expect(shown).not.toEqual(await evaluated('champion', history, true));
  }
  const written = await records();
  for (const [number, history] of histories.entries())
    expect(written.find(({ userId }) => userId === `u${number}`)?.shadow?.items).toEqual(await evaluated('challenger', history));
});

it('exploration comes after it: it explores around the diverse slate, and what a challenger would show is in the pool', async () => {
  const { recommend, evaluated, records } = await open({ slate: diverse, exploration: { slots: 1, poolDepth: 40, challengerDepth: 20, floor: 0 } });
  for (const [number, history] of histories.entries()) await recommend(`u${number}`, history);
  const written = await records();
  for (const [number, history] of histories.entries()) {
    const exploration = written.find(({ userId }) => userId === `u${number}`)?.exploration;
    const base = await evaluated('champion', history);
    expect(exploration?.baseItems).toEqual(base);
    const supported = new Set([...base, ...(exploration?.poolItems ?? [])]);
    expect((await evaluated('challenger', history)).filter((itemId) => !supported.has(itemId))).toEqual([]);
  }
});

it('without a weight slates are the best by relevance', async () => {
  const { recommend, evaluated } = await open({ exploration: { slots: 0 } });
  expect(await recommend('u', ['i0003'])).toEqual(await evaluated('champion', ['i0003'], true));
});
