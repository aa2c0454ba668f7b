import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { artifactManifest } from './artifact.ts';
import { canaryDecision } from './canary.ts';
import { catalogItem } from './catalog-item.ts';
import { type defineSurface, parseCharter } from './charter.ts';
import { deploymentSpec } from './deployment.ts';
import { canonicalJson, digestBytes, digestJson } from './digest.ts';
import { event } from './event.ts';
import { digestString, externalId, surfaceName } from './ids.ts';
import { inputError, problems, toProblemDetails, type UnderstudyError } from './problem.ts';
import { recipe } from './recipe.ts';
import { ledgerEntry, runRecord, vote } from './release.ts';
import { report } from './report.ts';
import { recommendRequest, slateRecord } from './slate.ts';
import { dataState, ingestManifest, windowManifest } from './window.ts';

const recorded = (name: string): unknown => JSON.parse(readFileSync(new URL(`./fixtures/v1/${name}.json`, import.meta.url), 'utf8'));

/** Documents as a run of the example recorded them, lists cut short. They stay when a schema changes: so do the bytes in people's stores. */
const formats: [name: string, schema: z.ZodType][] = [
  ['artifact', artifactManifest],
  ['catalog', z.array(catalogItem)],
  ['data-state', dataState],
  ['deployment', deploymentSpec],
  ['deployment-canary', deploymentSpec],
  ['events', z.array(event)],
  ['ingest', ingestManifest],
  ['ledger', ledgerEntry],
  ['recipe', recipe],
  ['report', report],
  ['run', runRecord],
  ['slate-canary', slateRecord],
  ['slate-shadow', slateRecord],
  ['window', windowManifest],
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

  it('names every mistake at once, each by its place', () => {
    const wrong = { ...charter, surface: 'Not A Name', bootstrap: 'nobody', gates: { ...charter.gates, minUsers: -1 }, colour: 'red' };
    let error: unknown;
    try {
      parseCharter(wrong);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ code: 'UND-CHARTER' });
    const { mistakes, message } = error as UnderstudyError;
    expect(mistakes.map(({ path }) => path)).toEqual(expect.arrayContaining(['/surface', '/gates/minUsers']));
    expect(mistakes.length).toBeGreaterThanOrEqual(3);
    for (const { path } of mistakes.slice(0, 3)) expect(message).toContain(path);
  });

  it('wants one number of users a rung, and candidates of different names', () => {
    const { canary } = (charter as { release: { canary: object } }).release;
    const problem = (change: object) => {
      try {
        parseCharter({ ...charter, ...change });
      } catch (error) {
        return (error as UnderstudyError).mistakes.map(({ path }) => path).join();
      }
      return '';
    };
    expect(problem({ release: { ...(charter as { release: object }).release, canary: { ...canary, minUnits: [1] } } })).toContain('/release/canary/minUnits');
    expect(problem({ candidates: [...charter.candidates, charter.candidates[0]] })).toContain('/candidates/');
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
