import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { artifactManifest } from './artifact.ts';
import { canaryDecision } from './canary.ts';
import { catalogItem } from './catalog-item.ts';
import { type defineSurface, parseCharter, parseStoredCharter } from './charter.ts';
import { deploymentSpec } from './deployment.ts';
import { canonicalJson, digestBytes, digestJson } from './digest.ts';
import { embeddingSet, similarRequest } from './embedding-set.ts';
import { eventV1 } from './event.ts';
import { digestString, externalId, surfaceName } from './ids.ts';
import { inputError, problems, toProblemDetails, type UnderstudyError } from './problem.ts';
import { recipe } from './recipe.ts';
import { ledgerEntry, runRecord, vote } from './release.ts';
import { report } from './report.ts';
import { recommendRequest, slateRecord } from './slate.ts';
import { userSums } from './tournament.ts';
import { trialLog, tuning } from './tuning.ts';
import { dataState, ingestManifest, windowManifest } from './window.ts';

const recorded = (name: string): unknown => JSON.parse(readFileSync(new URL(`./fixtures/v1/${name}.json`, import.meta.url), 'utf8'));

/** Documents as a run of the example recorded them, lists cut short. They stay when a schema changes: so do the bytes in people's stores. */
const formats: [name: string, schema: z.ZodType][] = [
  ['artifact', artifactManifest],
  ['artifact-embeddings', artifactManifest],
  ['catalog', z.array(catalogItem)],
  ['data-state', dataState],
  ['data-state-log', dataState],
  ['deployment', deploymentSpec],
  ['deployment-canary', deploymentSpec],
  ['embedding-set', embeddingSet],
  ['events', z.array(eventV1)],
  ['ingest', ingestManifest],
  ['ledger', ledgerEntry],
  ['recipe', recipe],
  ['recipe-embeddings', recipe],
  ['recipe-tuned', recipe],
  ['report', report],
  ['report-offline', report],
  ['run', runRecord],
  ['slate-canary', slateRecord],
  ['slate-shadow', slateRecord],
  ['trials', trialLog],
  ['tuning', tuning],
  ['user-sums', userSums],
  ['window', windowManifest],
  ['window-origins', windowManifest],
];

describe('what was recorded stays readable', () => {
  it.each(formats)('%s, to the same digest', (name, schema) => {
    const before = recorded(name);
    expect(digestJson(schema.parse(before))).toBe(digestJson(before));
  });

  it('charter: what it said it still says', () => {
    expect(parseCharter(recorded('charter'))).toMatchObject(recorded('charter') as object);
  });

  it.each(formats.filter(([name]) => !['catalog', 'events'].includes(name)))('%s: an unknown field is refused', (name, schema) => {
    expect(schema.safeParse({ ...(recorded(name) as object), surprise: 1 }).success).toBe(false);
  });
});

describe('the charter', () => {
  const charter = recorded('charter') as Parameters<typeof defineSurface>[0];

  /** The places of the mistakes that it names, in its order. */
  const mistakesOf = (wrong: unknown, more: Parameters<typeof parseCharter>[1] = []): string[] => {
    try {
      parseCharter(wrong, more);
    } catch (error) {
      expect(error).toMatchObject({ code: 'UND-CHARTER' });
      const { mistakes, message } = error as UnderstudyError;
      for (const { path } of mistakes) expect(message).toContain(path);
      return mistakes.map(({ path }) => path);
    }
    return [];
  };
  type Json = Record<string, unknown>;
  const release = charter.release as unknown as Json & { canary: Json };

  it('names every mistake at once, each by its place', () => {
    const wrong = { ...charter, surface: 'Not A Name', bootstrap: 'nobody', gates: { ...charter.gates, minUsers: -1 }, colour: 'red' };
    expect(mistakesOf(wrong).sort()).toEqual(['/bootstrap', '/colour', '/gates/minUsers', '/surface']);
  });

  it('names what fields say together whatever else is wrong, missing or left to its default', () => {
    const { ladder: _ladder, ...canary } = release.canary;
    const wrong = { ...charter, objective: 'fame', bootstrap: 'nobody', release: { ...release, canary: { ...canary, minUnits: [1] } } };
    expect(mistakesOf(wrong).sort()).toEqual(['/bootstrap', '/objective', '/release/canary/minUnits']);
    expect(mistakesOf({ ...wrong, release: { ...wrong.release, approvers: 'me' } }).sort()).toEqual([
      '/bootstrap',
      '/objective',
      '/release/approvers',
      '/release/canary/minUnits',
    ]);
    const { candidates: _candidates, ...without } = wrong;
    expect(mistakesOf(without).sort()).toEqual(['/candidates', '/objective', '/release/canary/minUnits']);
    for (const nothing of [undefined, null, 'charter', []]) expect(mistakesOf(nothing)).toEqual(['']);
  });

  it('names the mistakes that others found with its own', () => {
    const more = [{ path: '/candidates/0/algorithm', message: 'there is no such thing' }];
    expect(mistakesOf(charter, more)).toEqual(['/candidates/0/algorithm']);
    expect(mistakesOf({ ...charter, objective: 'fame' }, more)).toEqual(['/objective', '/candidates/0/algorithm']);
  });

  const rule = { name: 'enough', measure: 'rows', action: 'stop' };
  const group = { name: 'small', by: 'brand', values: ['b'] };
  const owed = { ...group, minShare: 0.2 };
  const source = { name: 'classifier', staleAfterMinutes: 60 };
  it.each<[what: string, change: Json, path: string]>([
    ['a rule of the data that never fails', { data: { rules: [rule] } }, '/data/rules/0'],
    ['users parted twice by the same', { evaluation: { segments: [{ by: 'category' }, { by: 'category', atMost: 2 }] } }, '/evaluation/segments/1/by'],
    ['slates made of no more than they hold', { slate: { size: 50, diversity: { weight: 0.3, depth: 50 } } }, '/slate/diversity/depth'],
    ['fair slates made of no more than they hold', { slate: { size: 50 }, fairness: { method: 'fa-ir', group, share: 0.3, depth: 50 } }, '/fairness/depth'],
    ['a group that is owed twice', { fairness: { method: 'exposure', groups: [owed, owed] } }, '/fairness/groups/1/name'],
    ['a source that is named twice', { guardrails: { sources: [source, source] } }, '/guardrails/sources/1/name'],
    ['a source of the name of what people say', { guardrails: { sources: [{ ...source, name: 'by-hand' }] } }, '/guardrails/sources/0/name'],
    ['bounds that do not rise', { evaluation: { segments: [{ by: 'events', bounds: [5, 5] }] } }, '/evaluation/segments/0/bounds'],
    ['a rule of the data that always fails', { data: { rules: [{ ...rule, min: 2, max: 1 }] } }, '/data/rules/0'],
    ['a reminder after the request has expired', { release: { ...release, remindAfterMs: 2, expireAfterMs: 1 } }, '/release/remindAfterMs'],
    ['a pool that ends where the slate does', { slate: { size: 100 } }, '/exploration/poolDepth'],
    ['more exploration than the slate has slots', { slate: { size: 2 }, exploration: { slots: 3 } }, '/exploration/slots'],
    ['a freeze that ends before it begins', { release: { ...release, freezeWindows: [{ fromMs: 2, toMs: 1, reason: '' }] } }, '/release/freezeWindows/0/toMs'],
    ['four eyes of one person', { release: { ...release, fourEyes: true } }, '/release/approvers'],
    ['a reward of nothing', { reward: { ...charter.reward, weights: { purchase: 0 } } }, '/reward/weights'],
    ['a ladder that falls', { release: { ...release, canary: { ...release.canary, ladder: [0.1, 0.2, 0.3, 0.3, 0.5] } } }, '/release/canary/ladder'],
    [
      'a canary that ends before any outcome is known',
      { release: { ...release, canary: { ...release.canary, maxDurationMs: 1 } } },
      '/release/canary/maxDurationMs',
    ],
    ['an offset for a time zone', { timeZone: '+01:00' }, '/timeZone'],
    ['a time zone on Mars', { timeZone: 'Mars/Base' }, '/timeZone'],
  ])('refuses %s', (_what, change, path) => {
    expect(mistakesOf({ ...charter, ...change })).toEqual([path]);
  });

  it.each(['UTC', 'GMT', 'Etc/GMT+5', 'Europe/Kyiv', 'Asia/Kolkata', 'US/Pacific'])('knows the time zone %s', (timeZone) => {
    expect(mistakesOf({ ...charter, timeZone })).toEqual([]);
  });

  it('stays readable where it is stored, though a newer check would refuse it', () => {
    const old = { ...(recorded('charter') as Json), release: { ...release, remindAfterMs: 2, expireAfterMs: 1 } };
    expect(mistakesOf(old)).toEqual(['/release/remindAfterMs']);
    expect(parseStoredCharter(old)).toMatchObject(old);
    expect(() => parseStoredCharter({ ...old, objective: 'fame' })).toThrow(expect.objectContaining({ code: 'UND-CHARTER' }));
  });

  it('wants one number of users a rung, and candidates of different names', () => {
    expect(mistakesOf({ ...charter, release: { ...release, canary: { ...release.canary, minUnits: [1] } } })).toEqual(['/release/canary/minUnits']);
    expect(mistakesOf({ ...charter, candidates: [...charter.candidates, charter.candidates[0]] })).toEqual(['/candidates/4/name']);
  });

  it('wants vectors of another candidate that it has', () => {
    const withVectors = (of: unknown) =>
      mistakesOf({ ...charter, candidates: [...charter.candidates, { name: 'alike', algorithm: 'embedding-knn', embeddings: { of } }] });
    expect(withVectors('ials')).toEqual([]);
    for (const of of ['alike', 'nobody']) expect(withVectors(of)).toEqual(['/candidates/4/embeddings/of']);
  });
});

describe('a search for what is alike', () => {
  it('begins from an item or from a vector, not from both or neither', () => {
    const isGood = (body: object) => similarRequest.safeParse({ surface: 'home', ...body }).success;
    expect([isGood({ itemId: 'a' }), isGood({ vector: [1, -0.5] })]).toEqual([true, true]);
    for (const body of [{}, { itemId: 'a', vector: [1] }, { vector: [] }, { vector: [Number.NaN] }, { itemId: 'a', count: 0 }, { itemId: 'a', version: 'v1' }])
      expect(isGood(body), JSON.stringify(body)).toBe(false);
  });
});

describe('digests', () => {
  it('are those of SHA-256', () => {
    expect(digestBytes('abc')).toBe('sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  });

  it('depend on what a document says and not on the order of its keys', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (document) => {
        const reversed = Object.fromEntries(Object.entries(document).reverse());
        expect(canonicalJson(reversed)).toBe(canonicalJson(document));
        expect(digestJson(JSON.parse(canonicalJson(document)))).toBe(digestJson(document));
        expect(digestJson({ ...document, 'one more': 1 })).not.toBe(digestJson(document));
      }),
      { seed: Number(process.env.UNDERSTUDY_TEST_SEED) },
    );
  });
});

describe('names', () => {
  it('cannot lead out of a directory, nor hide', () => {
    for (const name of ['', '..', 'a/b', 'A', '-a', 'a b', 'a\n', 'é', `a${'b'.repeat(63)}`]) expect(surfaceName.safeParse(name).success, name).toBe(false);
    for (const id of ['', ' a', 'a\u0000', 'a\n', 'x'.repeat(129)]) expect(externalId.safeParse(id).success, JSON.stringify(id)).toBe(false);
    for (const digest of ['sha256:abc', `sha512:${'a'.repeat(64)}`, `sha256:${'A'.repeat(64)}`])
      expect(digestString.safeParse(digest).success, digest).toBe(false);
    expect(surfaceName.safeParse('home-2').success && externalId.safeParse('SKU 12/é').success).toBe(true);
  });
});

describe('problems', () => {
  it('carry code, status and what to do; several mistakes are all named', () => {
    const parsed = recommendRequest.safeParse({ surface: 'X', count: 0, extra: true });
    const error = inputError('UND-INPUT', 'The request', parsed.error?.issues ?? []);
    const details = toProblemDetails(error);
    expect(details).toMatchObject({ type: 'urn:understudy:problem:UND-INPUT', status: 400, code: 'UND-INPUT', remedy: problems['UND-INPUT'].remedy });
    expect(details.mistakes?.map(({ path }) => path)).toEqual(expect.arrayContaining(['/surface', '/count']));
    expect(toProblemDetails(new TypeError('secret: hunter2'))).toMatchObject({ code: 'UND-INTERNAL', status: 500 });
  });

  it('a vote needs a proof, a decision of a canary its evidence', () => {
    expect(vote.safeParse({ decision: 'approve', by: 'lead', evidence: `sha256:${'0'.repeat(64)}` }).success).toBe(false);
    expect(canaryDecision.safeParse({ action: 'promote' }).success).toBe(false);
  });
});
