import type { CatalogItem } from '../../models/contracts/catalog-item.ts';
import type { Recipe } from '../../models/contracts/recipe.ts';
import { putDocument } from '../../stores/blobs.ts';
import { createDeployment } from '../../stores/deployments.ts';
import { createRandom } from '../../models/random.ts';
import { type Happening, openEvidence } from '../evidence/testing.ts';
import { registerCharter } from '../registry/charters.ts';
import { cutWindow } from '../windows/cut-window.ts';

const startMs = Date.UTC(2026, 0, 5);
const dayMs = 86_400_000;
const tastes = ['hats', 'shoes', 'books', 'games'];
const perTaste = 15;

/** From this day on, if anything has moved. */
export const [shiftDay, lastDay] = [28, 41];

export const catalog: CatalogItem[] = tastes.flatMap((category) =>
  Array.from({ length: perTaste }, (_, rank) => ({
    itemId: `${category}-${rank}`,
    title: `${category} ${rank}`,
    category,
    priceMinor: 100 * (rank + 1),
    inStock: true,
  })),
);

/**
 * Six weeks of views and purchases of users of four tastes. Where it moves, from the fifth week on those who like games want hats, hats that nobody wanted sell best, and fewer views
 * end in a purchase.
 */
function happen({ seed, moves, users }: { seed: number; moves: boolean; users: number }): Happening[] {
  const random = createRandom(seed);
  const happenings: Happening[] = [];
  for (let user = 0; user < users; user += 1)
    for (let day = 0; day <= lastDay; day += 1) {
      if (random.float() > 0.3) continue;
      const isShifted = moves && day >= shiftDay;
      const own = isShifted && user % 4 === 3 ? 0 : user % 4;
      for (let visit = 0; visit < 3; visit += 1) {
        const category = tastes[random.float() < 0.85 ? own : random.below(4)] as string;
        const rank = Math.floor(perTaste * random.float() ** 2);
        const item = `${category}-${isShifted && category === 'hats' ? perTaste - 1 - rank : rank}`;
        const atMs = startMs + day * dayMs + 8 * 3_600_000 + Math.floor(random.float() * 3_600_000 * 10);
        happenings.push({ kind: 'view', user: `u${user}`, item, atMs });
        if (random.float() < (isShifted ? 0.2 : 0.35)) happenings.push({ kind: 'purchase', user: `u${user}`, item, atMs: atMs + 60_000 });
      }
    }
  return happenings;
}

/** A surface with two champions, one after the other, of the first four weeks and of all six; `moves`: something happened in between. */
export async function openDrift({ seed, moves, users = 300, algorithm = 'ials' }: { seed: number; moves: boolean; users?: number; algorithm?: string }) {
  const window = { trainDays: 14, gapDays: 0, testDays: 1 };
  const charter = { window, candidates: [{ name: algorithm, algorithm }], bootstrap: algorithm };
  const evidence = await openEvidence({ happenings: happen({ seed, moves, users }), catalog, charter, nowMs: startMs + (lastDay + 1) * dayMs });
  const { context, dataState, train } = evidence;
  const { state } = context;
  const rules = evidence.window.rulesDigest;
  const until = (day: number) => {
    const last = new Date(startMs + day * dayMs).toISOString().slice(0, 10);
    return cutWindow({
      dataState: { ...dataState, slices: dataState.slices.filter((slice) => slice.day <= last) },
      charter: evidence.charter,
      rulesDigest: rules,
    });
  };
  const params: Recipe['params'] = algorithm === 'ials' ? { factors: 8, sweeps: 8 } : {};
  const [older, newer] = [await train(algorithm, params, until(shiftDay)), await train(algorithm, params, until(lastDay))];
  await registerCharter(state, evidence.charter, 1);
  await state.generations.create('data/home', 1, dataState);
  const some = await putDocument(state.blobs, evidence.charter);
  const serve = (champion: string, previousChampion: string | null) =>
    createDeployment(state.generations, {
      ...{ kind: 'deployment', surface: 'home', generation: 1, replaces: 0, operationId: 'o', champion, championRelease: 'r', previousChampion },
      ...{ canary: null, challenger: null, charter: some, catalog: dataState.catalog, fencedReleases: [], paused: false },
      ...{ createdAtMs: 0, author: { kind: 'bootstrap', name: 'test', reason: '' } },
    });
  return { ...evidence, state, older, newer, serve };
}
