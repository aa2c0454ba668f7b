import type { CatalogItem } from '../../models/contracts/catalog-item.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import type { Report } from '../../models/contracts/report.ts';
import type { WindowManifest } from '../../models/contracts/window.ts';
import type { State } from '../context.ts';
import { digestTest } from '../rerun/digest-parts.ts';
import { readTest } from '../windows/read-test.ts';
import { readTrain } from '../windows/read-window.ts';
import { checkLeak } from './check-leak.ts';
import { itemFacts } from './item-facts.ts';
import { measureFairness } from './measure-fairness.ts';
import { measureFrontier } from './measure-frontier.ts';
import { measureOrigins } from './measure-origins.ts';
import { measureSplit, type SplitEvidence } from './measure-split.ts';
import { openRanker, type Ranker } from './ranker.ts';

/** `testPart`: digest of the test part as it was measured on. */
export type OfflineEvidence = SplitEvidence & Pick<Report, 'leak' | 'origins' | 'frontier' | 'fairness'> & { testPart: string };

export type OfflineInput = {
  window: WindowManifest;
  charter: Charter;
  catalog: readonly CatalogItem[];
  candidate: string;
  champion: string | null;
  seed: number;
  beat: () => void;
  signal: AbortSignal;
};

/** What the test part says of a candidate, beside the champion where there is one; whether it can be believed; and what earlier splits say. */
export async function measureOffline(state: State, input: OfflineInput): Promise<OfflineEvidence> {
  const { window, charter, catalog, seed, beat, signal } = input;
  const source = { window, blobs: state.blobs, charter, signal };
  const train = await readTrain(source);
  const test = await readTest({ ...source, ...train });
  const items = itemFacts(train, catalog);
  const inScope = new Set(train.vocabulary.filter((_, index) => test.scopeBias[index] === 0));
  const open = (artifact: string) => openRanker(state, { artifact, allowed: (itemId) => inScope.has(itemId) });
  const candidate = await open(input.candidate);
  let champion: Ranker | null = null;
  try {
    champion = input.champion === null ? null : await open(input.champion);
    const own = await measureSplit({ candidate, champion, charter, catalog, train, test, items, seed, beat });
    const leak = await checkLeak(state, { window, charter, catalog, train, test, artifact: input.candidate, ranker: candidate, seed, beat });
    const frontier = await measureFrontier({ ranker: candidate, charter, train, test, items, seed, beat });
    const fairness = await measureFairness({ ranker: candidate, charter, catalog, train, test, items, seed, beat });
    const origins = await measureOrigins(state, { ...input, own });
    const testPart = digestTest(test);
    const parts = {
      ...(frontier === undefined ? {} : { frontier }),
      ...(fairness === undefined ? {} : { fairness }),
      ...(origins === undefined ? {} : { origins }),
    };
    return { ...own, leak, testPart, ...parts };
  } finally {
    await Promise.all([candidate.close(), champion?.close()]);
  }
}
