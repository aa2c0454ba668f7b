import { z } from 'zod';
import { sessionRules } from '../../contracts/session.ts';
import type { Algorithm, Model, ScoreRequest } from '../algorithm.ts';
import { packCheckpoint, runFingerprint, unpackCheckpoint } from '../checkpoint.ts';
import { popularityPrior } from '../prior.ts';
import { rankScores } from '../rank.ts';
import { sessionGraph } from './session-graph.ts';
import { cutSessions, indexSessions, type SessionIndex } from './session-index.ts';

const sessionKnnParams = z.strictObject({
  /** The most recent sessions that have an item of the history in common with it, among which neighbours are looked for. */
  sample: z.number().int().min(1).max(10_000).default(500),
  /** Sessions of the sample that are most like the history: these recommend. */
  neighbours: z.number().int().min(1).max(2000).default(100),
  /** The last entries of a history, which are the session that is going on. Behind the ninth none would have a say. */
  maxItems: z.number().int().min(1).max(9).default(4),
  /** Whether rare items count more than those that are in every session. */
  idf: z.boolean().default(true),
  /** More than this between two events of a user ends a session. */
  gapMs: z.number().int().min(1).max(1e12).default(sessionRules.parse({}).gapMs),
  /** Sessions of more distinct items are left out of training. */
  maxSessionItems: z.number().int().min(1).max(10_000).default(100),
});
export type SessionKnnParams = z.output<typeof sessionKnnParams>;

/**
 * Session-based nearest neighbours: VMIS-kNN (Kersbergen, Sprangers and Schelter 2022, sec. 3), after VS-kNN (Ludewig and Jannach 2018). Of the last
 * `maxItems` entries h = 1 .. H of the history, u of them distinct, an item counts where it stands last. Sessions n among the `sample` most recent that
 * hold any of them:
 *
 *   sim(n) = sum_{h in n} weight_h h / u,   score(j) = sum_{n among the neighbours, j in n} sim(n) max(0, 1 - (H + 1 - h_n) / 10) idf(j) + popularity prior(j)
 *
 * where h_n is the last entry that n holds, idf(j) = ln(items in all sessions / sessions with j), and the neighbours are the most similar, of equal
 * ones the more recent. The last entry itself has the prior alone: it is what is being looked at.
 */
export const sessionKnn: Algorithm<SessionKnnParams> = {
  name: 'session-knn',
  params: sessionKnnParams,
  async train({ interactions, params, seed }, hooks = {}) {
    const fingerprint = runFingerprint({ algorithm: 'session-knn', params, seed, interactions });
    const resumed = hooks.resumeFrom && unpackCheckpoint(hooks.resumeFrom, fingerprint);
    const index =
      (resumed?.arrays as SessionIndex | undefined) ?? indexSessions(cutSessions(interactions, params), { itemCount: interactions.itemCount, ...params });
    const checkpoint = (): Uint8Array => packCheckpoint({ fingerprint, done: 1, arrays: index });
    if (!resumed) await hooks.onStep?.({ done: 1, total: 1, note: 'sessions indexed', checkpoint });
    return sessionKnnModel({ index, prior: popularityPrior(interactions), params });
  },
};

/** What recommends: index, item prior [itemCount + 1], parameters. */
export type SessionKnnParts = { index: SessionIndex; prior: Float32Array; params: SessionKnnParams };

function sessionKnnModel(parts: SessionKnnParts): Model {
  const { index, prior, params } = parts;
  const itemCount = prior.length - 1;
  return {
    maxHistory: params.maxItems,
    recommend(request) {
      const scores = prior.slice();
      for (const { session, weight } of neighboursOf(parts, request)) {
        for (let place = index.sessionFrom[session] as number; place < (index.sessionFrom[session + 1] as number); place += 1) {
          const item = index.sessionItems[place] as number;
          scores[item] = (scores[item] as number) + Math.fround(weight * (index.itemFactors[item] as number));
        }
      }
      const last = request.history.at(-1) ?? itemCount;
      scores[last] = prior[last] as number;
      return rankScores({ scores, itemCount, request });
    },
    exportGraph: () => sessionGraph(parts),
  };
}

type Neighbour = { session: number; weight: number };

/** All in 32-bit floats and in the graph's order, similarities from the last entry on, so that what is equal is equal in both. */
function neighboursOf({ index, prior, params }: SessionKnnParts, request: ScoreRequest): Neighbour[] {
  const entries = lastEntries(request, { maxItems: params.maxItems, itemCount: prior.length - 1 });
  const found = new Map<number, { session: number; similarity: number; matched: number }>();
  for (const { item, weight, matchWeight } of entries.reverse()) {
    for (let place = index.itemFrom[item] as number; place < (index.itemFrom[item + 1] as number); place += 1) {
      const session = index.itemSessions[place] as number;
      const one = found.get(session);
      if (one === undefined) found.set(session, { session, similarity: weight, matched: matchWeight });
      else one.similarity = Math.fround(one.similarity + weight);
    }
  }
  return [...found.values()]
    .sort((a, b) => b.session - a.session)
    .slice(0, params.sample)
    .sort((a, b) => b.similarity - a.similarity)
    .slice(0, params.neighbours)
    .map(({ session, similarity, matched }) => ({ session, weight: Math.fround(similarity * matched) }));
}

/** Oldest first, without padding, an item where it stands last: what it adds to a similarity, and what its being the last match makes of one. */
function lastEntries({ history, historyWeight }: ScoreRequest, { maxItems, itemCount }: { maxItems: number; itemCount: number }) {
  const begin = Math.max(0, history.length - maxItems);
  const known = history.flatMap((item, place) => (place >= begin && item < itemCount ? [{ item, given: Math.fround(historyWeight[place] as number) }] : []));
  const distinct = new Set(known.map(({ item }) => item)).size;
  return known.flatMap(({ item, given }, place) => {
    if (known.findLastIndex((other) => other.item === item) !== place) return [];
    const matchWeight = Math.max(0, Math.fround(Math.fround(0.9) - Math.fround((known.length - 1 - place) / 10)));
    return [{ item, weight: Math.fround(Math.fround(given * (place + 1)) / distinct), matchWeight }];
  });
}
