import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { withFraming } from '../../activities/framing/open-framing.ts';
import { measureCheck } from '../../activities/framing/run-check.ts';
import { dayMs, openWorld, type Row } from '../../activities/framing/testing.ts';
import { quietBeat } from '../../activities/events/testing.ts';
import { registerCharter } from '../../activities/registry/charters.ts';
import { prepareRetrain } from '../../activities/windows/prepare-retrain.ts';
import { readTrain } from '../../activities/windows/read-window.ts';
import { makePersonas } from '../../experiments/simulator/personas.ts';
import { respond } from '../../experiments/simulator/respond.ts';
import { defaultTruth } from '../../experiments/simulator/truth.ts';
import { checkBehind, type CharterAssumption } from '../../models/contracts/assumption.ts';
import type { CharterInput } from '../../models/contracts/charter.ts';
import { windowManifest } from '../../models/contracts/window.ts';
import { createRandom } from '../../models/random.ts';
import { getDocument } from '../../stores/blobs.ts';
import { readEnvironment } from '../environment.ts';
import { loadSurfaceConfig } from '../surface-config.ts';
import { frameCommand } from './command.ts';

/** `understudy frame home` on a state directory, and what it says. */
async function frame({ cwd, root }: { cwd: string; root: string }, ...args: string[]): Promise<string> {
  const [stdout, stderr] = [process.stdout, process.stderr].map((stream) => vi.spyOn(stream, 'write').mockReturnValue(true));
  try {
    const command = frameCommand({ env: readEnvironment({}), cwd, now: () => 1 });
    await command.exitOverride().parseAsync(['home', ...args, '--state', root], { from: 'user' });
    return (stdout?.mock.calls ?? []).map(([text]) => String(text)).join('');
  } finally {
    stdout?.mockRestore();
    stderr?.mockRestore();
  }
}

const items = Array.from({ length: 120 }, (_, index) => `item-${index}`);

/** A shop of 30 days: 300 visitors come three times each and see ten items of 120, of which each wants twelve; by the simulator's own truth. */
function shopRows(): Row[] {
  const random = createRandom(7);
  const customers = Array.from({ length: 40 }, (_, index) => ({
    customerId: `c${index}`,
    history: [],
    wants: Array.from({ length: 12 }, (_, want) => ({ itemId: items[(index * 3 + want * 7) % items.length] as string, repeat: false })),
  }));
  const personas = makePersonas({ customers, count: 300, seed: 3, prefix: 'p' });
  return personas.flatMap((persona, number) =>
    [0, 1, 2].flatMap((visit) => {
      const slate = Array.from({ length: 10 }, (_, slot) => items[(random.below(12) * 10 + slot) % items.length] as string);
      const atMs = Date.UTC(2026, 1, 1 + ((number + visit * 9) % 30), 12) + number * 60_000;
      const events = respond({ persona, slate, requestId: `r-${number}-${visit}`, surface: 'home', atMs, truth: defaultTruth, random });
      return events.map((event): Row => ({ ...event, category: `of-${event.itemId.length}`, ...(event.kind === 'purchase' ? { unitPriceMinor: 500 } : {}) }));
    }),
  );
}

async function openShop(rows: readonly Row[], change: Partial<CharterInput> = {}) {
  const world = await openWorld(rows, {
    confidence: { purchase: 1, 'add-to-cart': 0.5, click: 0.2 },
    window: { trainDays: 20, gapDays: 1, testDays: 9 },
    ...change,
  });
  onTestFinished(world.close);
  return { ...world, cwd: world.folder };
}

/** A written charter is one for `understudy retrain`: it loads, can be registered, and its window can be cut and read. */
async function expectUsable({ context, input }: Pick<Awaited<ReturnType<typeof openWorld>>, 'context' | 'input'>, path: string) {
  const config = await loadSurfaceConfig(path);
  const { charter, digest } = await registerCharter(context.state, config.input, 2);
  const request = { surface: 'home', candidates: null, guest: null, charter: digest, resubmit: false };
  const [work] = await prepareRetrain(context, request, quietBeat);
  const window = await getDocument(input.blobs, work?.window ?? '', windowManifest);
  const { vocabulary } = await readTrain({ window, blobs: input.blobs, charter });
  expect(vocabulary.length).toBeGreaterThan(10);
  // What an audit would do with each of its assumptions, on the same data.
  const assumptions = charter.assumptions as CharterAssumption[];
  await withFraming({ ...input, settings: charter }, async (framing) => {
    for (const one of assumptions) {
      const behind = checkBehind(one);
      if (one.check === undefined || behind === undefined) continue;
      const { value, unit, interval } = await measureCheck(framing, behind.check, behind.params);
      expect([one.check, value, unit, interval]).toEqual([one.check, one.value, one.unit, one.interval]);
    }
  });
  return { config, assumptions };
}

// Each takes a shop's data in and frames it, which a busy machine does not do at once.
describe('understudy frame', { timeout: 120_000 }, () => {
  it('says of a shop with impressions what its funnel is, what answers take, and what its charter should be', async () => {
    const shop = await openShop(shopRows());
    const picture = join(shop.folder, 'shop.svg');
    const document = JSON.parse(await frame(shop, '--json', '--kpi', 'purchase=.9', '--out', 'framed.config.ts', '--picture', picture));
    const { facts, recommended, goals, plans, written } = document;
    const rate = (to: string) => facts.conversions.find((one: { params: { to: string } }) => one.params.to === to);
    // Of what is looked at, who wants it clicks with probability .8 and others with .03; of those, .9 and .2 put it into the cart; of those, .85 and .35 buy.
    expect(rate('view').interval.low).toBeGreaterThan(0.03);
    expect(rate('view').interval.high).toBeLessThan(0.8);
    expect(rate('add-to-cart').interval.low).toBeGreaterThan(0.2);
    expect(rate('purchase').interval.high).toBeGreaterThan(0.6);
    expect(facts.basics.knownUsers.value).toBe(1);
    expect(facts.basics.category.value).toBe(1);
    // Events of one slate are a millisecond apart.
    expect(facts.delays.purchase.value).toBeLessThan(60_000);
    expect(facts.attributed.value).toBe(1);
    expect(facts.window).toEqual({ trainDays: 26, gapDays: 1, testDays: 3 });
    expect(recommended.objective.choice).toEqual({ objective: 'conversion', lead: 'purchase' });
    expect(recommended.attribution.choice).toEqual({ ms: 60_000, known: true });
    expect(recommended.recommender.choice).toBe(true);
    expect(goals).toEqual([expect.objectContaining({ metric: 'purchase', target: 0.9, gap: expect.any(Number) })]);
    expect(plans.find(({ metric }: { metric: string }) => metric === 'purchase')).toMatchObject({ users: expect.any(Number), canaryUsers: expect.any(Number) });
    expect(written).toBe(join(shop.folder, 'framed.config.ts'));
    const { config, assumptions } = await expectUsable(shop, written);
    expect(config.charter).toMatchObject({ objective: 'conversion', reward: { attributionMs: 60_000 }, window: facts.window, title: 'Home', owners: ['test'] });
    // 300 users are too few for factors.
    expect(config.charter.candidates.map(({ name }) => name)).toEqual(['popularity', 'item-knn']);
    expect(new Set(assumptions.flatMap((one) => (one.check === undefined ? [] : [one.supports])))).toEqual(
      new Set(['/objective', '/reward/weights', '/reward/attributionMs', '/candidates']),
    );
    expect(await readFile(picture, 'utf8')).toMatch(/^<svg.*view or click.*window 1 min.*<\/svg>$/s);
    expect(await readdir(join(shop.root, 'run', 'scratch'))).toEqual([]);
  });

  it('tells a person the same, and which choices of a charter the data do not support', async () => {
    const shop = await openShop(shopRows(), { assumptions: [{ claim: 'by hand', measure: 'null-user-share', max: 0.5 }] });
    await writeFile(
      join(shop.folder, 'understudy.config.ts'),
      `export default ${JSON.stringify({
        ...{ ...shop.charter, objective: 'engagement', window: { trainDays: 90, gapDays: 1, testDays: 9 } },
        reward: { weights: { rating: 1 }, attributionMs: 7 * dayMs, capPerUnit: 1 },
        candidates: [...shop.charter.candidates, { name: 'ials', algorithm: 'ials' }],
      })};\nexport const source = { file: 'rows.csv', mapping: { name: 'plain', sql: 'SELECT * FROM raw' } };\n`,
    );
    const text = await frame(shop, '--config', 'understudy.config.ts', '--out', 'framed.config.ts');
    for (const line of [
      /home, data generation 1, 2026-02-01 to 2026-03-02 \(30 days\): \d+ impression, /,
      /\nview or click +\d+ +\d+ +\d+ +\d+\.\d % \[\d+\.\d %, \d+\.\d %\] of impression\n/,
      /\npurchase +\d+\.\d % \[.*\] +\d+ +\d+/,
      /\n50 % +\d+ ms\n/,
      /attribution {2}1 m: /,
      /sasrec +no: [^\n]*\n +- more than half of the known users/,
      /\/objective +engagement +conversion +NOT SUPPORTED/,
      /\/reward\/weights +rating 1 +purchase 1[^\n]*NOT SUPPORTED +the data have no rating/,
      /\/reward\/attributionMs +604800000 +60000 +NOT SUPPORTED/,
      /\/window +90 \+ 1 \+ 9 days +26 \+ 1 \+ 3 days +NOT SUPPORTED +there are 30 days/,
      /\/candidates +popularity, ials +popularity, item-knn +NOT SUPPORTED +ials: /,
      /Recommended: conversion, a recommender/,
    ])
      expect(text).toMatch(line);
    const written = await readFile(join(shop.folder, 'framed.config.ts'), 'utf8');
    expect(written).toContain("import { source as framed } from './understudy.config.ts';");
    expect(written).toMatch(/\n {2}\/\/ conversion: [^\n]*\n {2}\/\/ - there are events of the kind purchase: \d+ events; stands from 1 events/);
    const { config, assumptions } = await expectUsable(shop, join(shop.folder, 'framed.config.ts'));
    expect(config.source?.file).toBe(join(shop.folder, 'rows.csv'));
    expect(assumptions[0]).toEqual({ claim: 'by hand', measure: 'null-user-share', max: 0.5 });
    // A charter that was framed is framed again to the same one.
    await frame(shop, '--config', 'framed.config.ts', '--out', 'again.config.ts');
    expect((await loadSurfaceConfig(join(shop.folder, 'again.config.ts'))).charter).toEqual(config.charter);
  });

  it('says that there should be no recommender where a visitor can look at everything', async () => {
    const few = shopRows().map((row) => ({ ...row, itemId: `item-${Number(row.itemId.slice(5)) % 30}` }));
    const shop = await openShop(few);
    const text = await frame(shop, '--out', 'framed.config.ts');
    expect(text).toMatch(/Recommended: no recommender here: there are so few items that a visitor can look at all of them/);
    const { config, assumptions } = await expectUsable(shop, join(shop.folder, 'framed.config.ts'));
    expect(config.charter.candidates.map(({ name }) => name)).toEqual(['popularity']);
    expect(assumptions).toContainEqual(expect.objectContaining({ check: 'item-count', value: 30, max: 50, supports: '/candidates' }));
  });

  it('writes over nothing, and says what is missing', async () => {
    const shop = await openShop(shopRows().slice(0, 3_000));
    await writeFile(join(shop.folder, 'mine.config.ts'), `export default ${JSON.stringify(shop.charter)};\n`);
    const refused = (...args: string[]) => expect(frame(shop, ...args)).rejects;
    await refused('--out', 'mine.config.ts').toMatchObject({ code: 'UND-INPUT', message: expect.stringContaining('not written over') });
    await refused('--config', 'mine.config.ts', '--out', 'mine.config.ts', '--force').toMatchObject({
      code: 'UND-INPUT',
      message: expect.stringContaining('name another file'),
    });
    await refused('--out', 'nowhere/x.ts').toMatchObject({ code: 'UND-INPUT' });
    await refused('--kpi', 'happiness').toThrow(/one of click/);
    await refused('--kpi', 'click=much').toThrow(/one of click/);
    expect(await readFile(join(shop.folder, 'mine.config.ts'), 'utf8')).toMatch(/^export default/);
    await writeFile(join(shop.folder, 'other.config.ts'), `export default ${JSON.stringify({ ...shop.charter, surface: 'basket' })};\n`);
    await refused('--config', 'other.config.ts').toMatchObject({ code: 'UND-INPUT', message: expect.stringContaining('about basket') });
    await frame(shop, '--out', 'mine.config.ts', '--force');
    await expectUsable(shop, join(shop.folder, 'mine.config.ts'));
    const empty = join(shop.folder, 'empty');
    await mkdir(empty);
    await expect(frame({ cwd: shop.cwd, root: empty })).rejects.toMatchObject({ code: 'UND-UNKNOWN-SURFACE' });
  });
});
