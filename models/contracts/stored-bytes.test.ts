import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { parityRecord } from './artifact.ts';
import { canaryDecision } from './canary.ts';
import { canonicalJson, digestJson } from './digest.ts';
import { candidateSubmission, vote } from './release.ts';

const fixtures = new URL('./fixtures/v1/', import.meta.url);
const recorded = (name: string): unknown => JSON.parse(readFileSync(new URL(`${name}.json`, fixtures), 'utf8'));
const seed = Number(process.env.UNDERSTUDY_TEST_SEED);

/**
 * The digest of every recorded document, as it was when it was recorded: `artifact`, `charter` and `recipe` are whole, and these are their
 * names in a store. Were canonical JSON to change, both sides of a comparison made today would change with it; these do not.
 */
const digests: Record<string, string> = {
  artifact: 'sha256:a5c5c3bef2ba26b0ecb138938fca0dbd35d0159c8523e9c60143b081eb3c9738',
  'artifact-embeddings': 'sha256:5eb248ff2c5e587d5df72c60b132b2e70abf4bb789f4e8de531828cd5574f792',
  'canary-decision': 'sha256:3fa6bb3cbcc146edd794a049ee9d2756c6b824f08151763a52c2cb5f6efde2c3',
  'candidate-submission': 'sha256:58c935c625a8fa8c4b51ab8fa1ac830c8657dccadf5bdbfa27eb21dfb62735e8',
  catalog: 'sha256:b0c2beea051301e2732d77e76db7d75e95388a2767544a9b6573d34480a48a05',
  charter: 'sha256:faa8d91f83fc1f3ec1f2e4e5ac2d0dcf1990e3f8c62e9b672b384ffe82743337',
  'data-state': 'sha256:05c09c0251777198820e0251b760ef1aed9afcd25e50c7f8f06821cc023fc814',
  'data-state-log': 'sha256:e67acd8d250de7af27e8f3d2306c59eee3ee16f8739a7acd2802990a4c5d2d36',
  deployment: 'sha256:4556d44bc0d1fdef343af958e329da10df4a24957db863e777041a69ec466bc2',
  'deployment-canary': 'sha256:9af4e8a9eb4a5fda7ec7b06196e6bf9830b5f0dd448fb46e12f9ef6e3ea6b983',
  'embedding-set': 'sha256:2aa1d45a9ce48ccedc59b38902c34c1fb9eae7bb66973a7ee9a864e35b1e189d',
  events: 'sha256:f89e195e50aee44f016a6d2ea6bf61535f409c4479d6c32ad0ecaf2873ad7733',
  ingest: 'sha256:e1c1d3ded6412ee1a8d5e082309267aea202bf3778eea7f8aefedacca7af5e54',
  ledger: 'sha256:d33cc02ab61009cca2f343de89988761f28ee6e5312690264a8ba24057bbce93',
  parity: 'sha256:df8aff2ca4e4e10e60a4f99cdf8fff52571db6d4ce7b1cf5bb391f481b60ef1a',
  recipe: 'sha256:bc2e8cb7ed1f92f280e6a61f34ab4f3bd66869687e78abf9c3ca0e072d02af23',
  'recipe-embeddings': 'sha256:e58c3f64515579d5afb80b02581a2fd37b320c62a97cbb33495a6e1854a07424',
  'recipe-tuned': 'sha256:663e5ce4251f6ea1987fbcf07c899eabcca78b64e304cfb4ee7af15ffb8fafa0',
  report: 'sha256:193042e4cf183eb861e7a0b854778e7b05da3327a25b6db5197cfdeacf7b199b',
  'report-offline': 'sha256:142f47f7d4ef316bd86728aebdd3ea250044ef2ab40e62950c8b435bc193afb2',
  run: 'sha256:8850abb948587531b277647995b54df9d7687f0fa631465eda24fe64dcc466a3',
  'slate-canary': 'sha256:0eb9a7fee5da1b59133b264f74dec2450bc3f3d169f5768645bf49cd9fedf70e',
  'slate-shadow': 'sha256:c7d100e513a91cb43bab64b10ec55d18bff9a00d07f1a638336012ab22e9fbfc',
  trials: 'sha256:31f0734e8e247b9ba41cbcd6726bfd1f2e822b318687155c47233a2038531a2b',
  tuning: 'sha256:57ecf71471b27740d3ac67ec81a25193ec90d5a98df67efae1d759b2a99bc3b8',
  'user-sums': 'sha256:4459817e4ea12934c9ec22021b377e05585166a3bc72267e7d396af7cec9643f',
  vote: 'sha256:f7d334360240652df0e338ea365577dfedc904b54a6a4d0eb0a00aa2f02b5f02',
  window: 'sha256:381088d7474e1e9ed10ec94e7664040358be735e53e135ac3114f828c31df532',
  'window-origins': 'sha256:7df3ba147d53defb191d6ae49bf595eae313e224f978738ea9fe8d126d3fb323',
};

describe('recorded documents', () => {
  it('all have their digest here', () => {
    const names = readdirSync(fixtures).map((file) => file.replace(/\.json$/, ''));
    expect(names.sort()).toEqual(Object.keys(digests).sort());
  });

  it.each(Object.entries(digests))('%s is named as on the day it was recorded', (name, digest) => {
    expect(digestJson(recorded(name))).toBe(digest);
  });
});

describe('what travels in workflow histories stays readable', () => {
  const formats: [name: string, schema: z.ZodObject][] = [
    ['canary-decision', canaryDecision],
    ['candidate-submission', candidateSubmission],
    ['parity', parityRecord],
    ['vote', vote],
  ];
  it.each(formats)('%s, to the same digest, and every field is needed or known', (name, schema) => {
    const before = recorded(name) as Record<string, unknown>;
    expect(digestJson(schema.parse(before))).toBe(digests[name]);
    expect(schema.safeParse({ ...before, surprise: 1 }).success).toBe(false);
    for (const field of Object.keys(before).filter((one) => !(name === 'vote' && one === 'why'))) {
      const { [field]: _gone, ...rest } = before;
      expect(schema.safeParse(rest).success, field).toBe(false);
    }
  });
});

describe('canonical JSON', () => {
  it('is these bytes: keys by code unit at every depth, text as it is, no spaces, undefined left out', () => {
    const document = { b: [{ z: 1, a: -0 }], ä: 'é\u2028"', a: 1e21, B: 0.1, '€': null, '😀': true, '\ufb33': false, gone: undefined };
    expect(canonicalJson(document)).toBe('{"B":0.1,"a":1e+21,"b":[{"a":0,"z":1}],"ä":"é\u2028\\"","€":null,"😀":true,"\ufb33":false}');
    expect(digestJson({ b: 2, a: 1 })).toBe(`sha256:${createHash('sha256').update('{"a":1,"b":2}').digest('hex')}`);
    expect(digestJson({ b: 2, a: 1 })).toBe('sha256:43258cff783fe7036d8a43033f830adfc60ec037382473548ac742b888292777');
  });

  it('refuses numbers that JSON cannot say, however deep', () => {
    for (const number of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
      expect(() => canonicalJson({ a: [{ b: number }] })).toThrow(/canonicalJson/);
  });

  it('says the same whatever the order of keys at any depth, and another value says another thing', () => {
    fc.assert(
      fc.property(document, document, (one, other) => {
        expect(digestJson(reversed(one))).toBe(digestJson(one));
        expect(JSON.parse(canonicalJson(one))).toEqual(JSON.parse(JSON.stringify(one)));
        const same = canonicalJson(one) === canonicalJson(other);
        expect(digestJson(one) === digestJson(other)).toBe(same);
      }),
      { seed },
    );
  });

  it('keeps every finite number', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
        // -0 becomes 0: JSON has one zero.
        expect(JSON.parse(canonicalJson({ number })).number).toBe(number === 0 ? 0 : number);
      }),
      { seed },
    );
  });
});

/** Without the one key that an object cannot be given by assignment. */
const document = fc.jsonValue();

function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).map(([key, member]) => [key, reversed(member)] as const);
  return Object.fromEntries(entries.reverse());
}
