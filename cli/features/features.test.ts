import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { featureSetOf } from '../../activities/features/materialize-features.ts';
import { publishEvents } from '../../activities/features/testing.ts';
import { featureView } from '../../models/contracts/feature.ts';
import { featureViewDigest } from '../../models/features/view-digest.ts';
import type { KnownEvent } from '../../models/features/evaluate-view.ts';
import { openFeatures } from '../../stores/features/open-features.ts';
import { openSurface } from '../report/testing.ts';
import { featuresCommand } from './command.ts';

afterEach(() => {
  process.exitCode = undefined;
});

const root = new URL('../../', import.meta.url).pathname;
const t0 = Date.UTC(2026, 2, 1);
const hour = 3_600_000;

const events: KnownEvent[] = ['007', 'bob', 'eve'].flatMap((userId, index) =>
  Array.from({ length: 2 + index }, (_, nth) => ({
    ...{ eventId: `${userId}-${nth}`, kind: 'purchase' as const, userId, sessionId: 's', itemId: `i${nth}`, atMs: t0 + nth * hour, unitPriceMinor: 250 },
  })),
);

const views = `[
  { name: 'shopper', version: 1, owner: 'growth', entity: 'user', ttlMs: 86400000, source: { from: 'events', kinds: ['view', 'purchase'] }, features: [
    { name: 'bought-7d', expression: { aggregate: 'count', where: [{ field: 'kind', in: ['purchase'] }] }, windowMs: 604800000, type: 'integer' },
    { name: 'spent', expression: { aggregate: 'sum', of: 'spendMinor' }, windowMs: 'all', type: 'integer' } ] },
  { name: 'taste', version: 1, owner: 'ranking', entity: 'user', ttlMs: 86400000, source: { from: 'events', kinds: ['purchase'] }, features: [
    { name: 'last-item', expression: { aggregate: 'last', of: 'itemId' }, windowMs: 'all', type: 'text' } ] },
]`;

/** A surface with data, and its configuration with two views. */
async function open() {
  const { folder, state, run } = await openSurface(featuresCommand);
  await publishEvents(state, { events, generation: 1, workDir: folder });
  const config = async (name: string, list: string) => {
    const path = join(folder, `${name}.config.ts`);
    await writeFile(path, `export { default } from '${root}examples/online-retail/understudy.config.ts';\nexport const features = ${list};\n`);
    return path;
  };
  return { folder, state, run, config, path: await config('understudy', views) };
}
const asOf = ['--as-of', new Date(t0 + 90 * 60_000).toISOString()];

describe('understudy features', () => {
  it('fills the online store from the configuration, lists what is served, and finds it equal to the data', async () => {
    const { folder, run, path } = await open();
    expect(await run('materialize', 'home', '--config', path, ...asOf)).toMatch(/shopper +1 +1 +3\ntaste +1 +1 +3/);
    expect(await run('materialize', 'home', ...asOf)).toMatch(/shopper +1 +1 +published before/);
    expect(await run('list', 'home')).toMatch(/shopper +1 +user +2 +growth +generation 1 as of 2026-03-01T01:30:00.000Z/);
    expect(await run('show', 'home', '--view', 'shopper')).toMatch(/bought-7d +count where kind is purchase +7 days +integer/);
    expect(JSON.parse(await run('check', 'home', '--json'))).toMatchObject({
      equal: true,
      views: [
        { checked: 3, equal: 3 },
        { checked: 3, equal: 3 },
      ],
    });
    expect(process.exitCode).toBeUndefined();
    const shopper = featureView.parse((await import(path)).features[0]);
    const store = await openFeatures({ stateDir: folder, url: undefined });
    const set = featureSetOf('home', shopper);
    const digest = featureViewDigest(shopper);
    expect((await store.get({ set, digest, entities: ['007', 'nobody'], nowMs: t0 }))?.rows).toEqual([[2, 500], undefined]);
    await store.close();
  });

  it('names the differences and ends with another exit code', async () => {
    const { folder, run, path } = await open();
    await run('materialize', 'home', '--config', path, ...asOf);
    const log = join(folder, 'served.jsonl');
    const lines = [
      { entity: '007', values: [2, 501] },
      { entity: 'bob', values: [2, 500] },
    ].map((row) => JSON.stringify({ ...row, generation: 1, atMs: t0 + 2 * hour }));
    await writeFile(log, lines.join('\n'));
    expect(await run('check', 'home', '--view', 'shopper', '--log', log)).toMatch(/shopper +2 +1 +value 1[\s\S]*shopper +007 +spent +value +501 +500/);
    expect(process.exitCode).toBe(6);
    await writeFile(log, '{"entity":"007"}');
    await expect(run('check', 'home', '--view', 'shopper', '--log', log)).rejects.toMatchObject({ code: 'UND-FILE' });
  });

  it('joins labels point in time, and finds the column that knows the label', async () => {
    const { folder, run, path } = await open();
    const labels = join(folder, 'labels.csv');
    await writeFile(labels, 'user,moment,label\n007,2026-03-01 01:00:00,1\neve,2026-03-01 02:00:00,1\nbob,2026-02-01 00:00:00,0\n');
    const out = join(folder, 'train.csv');
    const table = ['--entity', 'user', '--as-of', 'moment'];
    await run('join', 'home', '--config', path, '--table', labels, ...table, '--out', out);
    expect((await readFile(out, 'utf8')).trim().split('\n')).toEqual([
      'user,moment,label,shopper__bought_7d,shopper__spent,taste__last_item',
      '007,2026-03-01 01:00:00,1,1,250,i0',
      'eve,2026-03-01 02:00:00,1,2,500,i1',
      'bob,2026-02-01 00:00:00,0,,,',
    ]);
    expect(JSON.parse(await run('leaks', 'home', '--table', out, ...table, '--json'))).toMatchObject({ known: true });
    const leaking = join(folder, 'leaking.csv');
    await writeFile(leaking, 'user,moment,shopper__spent,taste__last_item\n007,2026-03-01 01:00:00,500,i0\neve,2026-03-01 02:00:00,750,i1\n');
    expect(await run('leaks', 'home', '--table', leaking, ...table)).toMatch(/shopper__spent +LEAKS +2 +0 +2[\s\S]*taste__last_item +known +2 +2/);
    expect(process.exitCode).toBe(6);
    await expect(run('leaks', 'home', '--table', labels, ...table)).rejects.toMatchObject({ code: 'UND-INPUT' });
    await expect(run('join', 'home', '--table', labels, '--entity', 'who', '--as-of', 'moment', '--out', out)).rejects.toMatchObject({ code: 'UND-INPUT' });
  });

  it('says every mistake of the views, refuses a changed definition, and what is not there', async () => {
    const { run, config, path } = await open();
    await expect(run('list', 'home')).rejects.toMatchObject({ code: 'UND-NOT-FOUND' });
    await run('list', 'home', '--config', path);
    await expect(run('list', 'home', '--view', 'nothing')).rejects.toMatchObject({ code: 'UND-NOT-FOUND', message: expect.stringContaining('shopper, taste') });
    const changed = await config('changed', views.replace("windowMs: 604800000, type: 'integer'", "windowMs: 1, type: 'integer'"));
    await expect(run('list', 'home', '--config', changed)).rejects.toMatchObject({ code: 'UND-INPUT', message: expect.stringContaining('features') });
    const wrong = await config('wrong', views.replaceAll("type: 'integer'", "type: 'text'"));
    await expect(run('list', 'home', '--config', wrong)).rejects.toMatchObject({
      code: 'UND-CHARTER',
      mistakes: [{ path: '/features/0/features/0/type' }, { path: '/features/0/features/1/type' }],
    });
    await expect(run('check', 'home', '--config', path)).rejects.toMatchObject({ code: 'UND-NOT-FOUND' });
    await expect(run('list', 'elsewhere')).rejects.toMatchObject({ code: 'UND-UNKNOWN-SURFACE' });
  });
});
