import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ingestBatch } from '../../activities/events/ingest-batch.ts';
import { type Mapping, mapping } from '../../activities/events/mapping.ts';
import { openBench } from '../../activities/events/testing.ts';
import { cutWindow } from '../../activities/windows/cut-window.ts';
import { mergeDataState } from '../../activities/windows/merge-data-state.ts';
import { parseCharter } from '../../models/contracts/charter.ts';
import { initCommandIn } from './command.ts';
import { guessKinds } from './guess-columns.ts';
import { type InitInput, initSurface } from './init-surface.ts';
import { windowFor } from './write-config.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'understudy-init-test-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const file = async (name: string, content: string) => {
  await writeFile(join(folder, name), content);
  return join(folder, name);
};
const init = (path: string, change: Partial<InitInput> = {}) =>
  initSurface({
    file: path,
    folder: undefined,
    cwd: folder,
    surface: undefined,
    owner: 'ada',
    timeZone: 'UTC',
    fixed: {},
    constantKind: undefined,
    dryRun: false,
    force: false,
    confirm: async ({ guess }) => guess,
    ...change,
  });
const days = (count: number, row: (day: string, index: number) => string) =>
  Array.from({ length: count }, (_, index) => row(new Date(Date.UTC(2026, 0, 1 + index)).toISOString().slice(0, 10), index)).join('\n');

describe('guessing columns', () => {
  it('knows the usual shapes of files', async () => {
    const shapes: [string, string, object][] = [
      [
        'ratings.csv',
        'userId,movieId,rating,timestamp\n1,10,4.5,1700000000\n2,11,3,1700100000\n',
        { columns: { user: 'userId', item: 'movieId', rating: 'rating', at: 'timestamp' }, time: { atFormat: 'epoch-s' }, constantKind: 'rating' },
      ],
      [
        'clicks.tsv',
        'SessionId\tItemId\tTime\n1\t10\t2026-01-01T10:00:00.000Z\n2\t11\t2026-01-02T10:00:00.000Z\n',
        { columns: { session: 'SessionId', item: 'ItemId', at: 'Time' }, time: { atFormat: 'instant' }, constantKind: 'click' },
      ],
      [
        'behaviour.csv',
        'event_time,event_type,product_id,category_code,brand,price,user_id,user_session\n2019-10-01 00:00:00 UTC,view,44,a.b,x,35.7,5,s1\n2019-10-01 00:00:01 UTC,cart,45,,y,5,6,s2\n',
        {
          columns: { at: 'event_time', kind: 'event_type', item: 'product_id', category: 'category_code', brand: 'brand', price: 'price', user: 'user_id' },
          kinds: { cart: 'add-to-cart' },
        },
      ],
      [
        'orders.csv',
        'Order No;Customer;Article;Order Date;Qty\n7;anna;x1;24/12/2025 18:00;2\n8;bob;x2;25/12/2025 9:30;1\n',
        {
          columns: { session: 'Order No', user: 'Customer', item: 'Article', at: 'Order Date', quantity: 'Qty' },
          time: { atFormat: 'wall', atPattern: '%d/%m/%Y %H:%M' },
          constantKind: 'purchase',
        },
      ],
      [
        'wide.csv',
        'id,name,product_name,product_id,user_id,updated_at,created\n1,N,P,p1,u1,2026-03-01,2026-01-01\n2,N,Q,p2,u2,2026-03-01,2026-01-02\n',
        { columns: { item: 'product_id', user: 'user_id', at: 'created', title: 'product_name' }, span: { days: 2 } },
      ],
      [
        'purchases.csv',
        'user_id,sku,bought_at\nu1,i1,2026-01-01\nu2,i2,2026-01-02\n',
        { columns: { user: 'user_id', item: 'sku', at: 'bought_at' }, constantKind: 'purchase' },
      ],
      ['plain.csv', 'a,b,c\nu1,i1,2026-01-01\nu2,i2,2026-01-02\n', { columns: { user: 'a', item: 'b', at: 'c' }, constantKind: 'view' }],
      [
        'events.jsonl',
        '{"visitorid":1,"event":"addtocart","itemid":5,"timestamp":1433221332117}\n{"visitorid":2,"event":"transaction","itemid":6,"timestamp":1433221332118}\n',
        {
          columns: { user: 'visitorid', kind: 'event', item: 'itemid', at: 'timestamp' },
          time: { atFormat: 'epoch-ms' },
          kinds: { addtocart: 'add-to-cart', transaction: 'purchase' },
        },
      ],
    ];
    for (const [name, content, expected] of shapes)
      expect(await init(await file(name, content), { dryRun: true }), name).toMatchObject({ written: false, ...expected });
    expect((await readdir(folder)).sort()).toEqual(shapes.map(([name]) => name).sort());
  });

  it('knows words for kinds, and says which it does not know', async () => {
    expect(guessKinds(['Add to Cart', 'buy', 'pv', 'wishlist'])).toEqual({
      kinds: { 'Add to Cart': 'add-to-cart', buy: 'purchase', pv: 'view' },
      unknown: ['wishlist'],
    });
    const result = await init(await file('k.csv', 'user,item,time,event\nu1,i1,2026-01-01,view\nu2,i2,2026-01-02,wishlist\n'), { dryRun: true });
    expect(result.notes.join()).toContain('wishlist');
  });

  it('says what it took by its place', async () => {
    const { notes } = await init(await file('plain.csv', 'a,b,c\nu1,i1,2026-01-01\nu2,i2,2026-01-05\n'), { dryRun: true, fixed: { user: 'a' } });
    expect(notes.filter((note) => note.includes('by its place')).map((note) => note.split(' ')[0])).toEqual(['c', 'b']);
    const named = await init(await file('named.csv', 'user,item,time\nu1,i1,2026-01-01\nu2,i2,2026-01-02\n'), { dryRun: true });
    expect(named.notes.join()).not.toContain('by its place');
    expect(named.notes.join()).toContain('Two days of data');
  });

  it('lets flags and the person win', async () => {
    const path = await file('two.csv', 'user_id,item_id,other_item,time\nu1,a,b,2026-01-01\nu2,c,d,2026-01-02\n');
    expect((await init(path, { dryRun: true, fixed: { item: 'other_item' } })).columns).toMatchObject({ user: 'user_id', item: 'other_item' });
    expect((await init(path, { dryRun: true, fixed: { user: '' } })).columns.user).toBeUndefined();
    expect((await init(path, { dryRun: true, confirm: async ({ guess }) => ({ ...guess, item: 'other_item' }) })).columns.item).toBe('other_item');
  });
});

describe('initSurface', () => {
  it('writes a surface that ingests and cuts a window', async () => {
    const path = await file(
      'My Shop.csv',
      `user,item,time,event\n${days(40, (day, index) => `u${index % 5},i${index % 7},${day} 10:00:00,${index % 3 === 0 ? 'buy' : 'view'}`)}\n`,
    );
    const result = await init(path, { timeZone: 'Europe/Berlin' });
    expect(result).toMatchObject({
      surface: 'my-shop',
      path: join(folder, 'my-shop', 'understudy.config.ts'),
      written: true,
      span: { from: '2026-01-01', to: '2026-02-09', days: 40 },
      window: { trainDays: 35, gapDays: 1, testDays: 4 },
    });
    const module = (await import(pathToFileURL(result.path).href)) as { default: unknown; source: { file: string; mapping: Mapping } };
    const charter = parseCharter(module.default);
    expect(charter).toMatchObject({
      surface: 'my-shop',
      objective: 'conversion',
      timeZone: 'Europe/Berlin',
      owners: ['ada'],
      reward: { weights: { purchase: 1 } },
    });
    expect(module.source.file).toBe('../My Shop.csv');
    expect(mapping.safeParse(module.source.mapping).success).toBe(true);
    const bench = await openBench();
    try {
      const { manifest, digest } = await ingestBatch({
        surface: 'my-shop',
        charter,
        source: { path, name: 'shop' },
        mapping: module.source.mapping,
        blobs: bench.blobs,
        workDir: join(bench.folder, 'work'),
      });
      expect(manifest.counts).toEqual({ input: 40, accepted: 40, quarantined: 0, duplicates: 0 });
      expect(
        cutWindow({ dataState: mergeDataState({ previous: undefined, manifest, manifestDigest: digest }), charter, rulesDigest: manifest.rulesDigest }).rows,
      ).toEqual({ train: 35, test: 4 });
    } finally {
      await bench.close();
    }
  });

  it('looks at all files of a folder or a glob', async () => {
    await mkdir(join(folder, 'orders/2026'), { recursive: true });
    const part = (from: number) => days(20, (day, index) => `u${index % 5},i${index % 7},${day}`).replaceAll('2026-01', `2026-0${from}`);
    await file('orders/2026/a.csv', `user,item,time\n${part(2)}\n`);
    await file('orders/2026/b.tsv', `time\titem\tuser\n${part(4).replaceAll(/^(.*),(.*),(.*)$/gm, '$3\t$2\t$1')}\n`);
    for (const [path, surface] of [
      ['orders', undefined],
      ['orders/*/[ab].*', 'orders'],
    ] as const) {
      const result = await init(join(folder, path), { dryRun: true, constantKind: 'view', surface });
      expect(result).toMatchObject({ surface: 'orders', columns: { user: 'user', item: 'item', at: 'time' }, span: { from: '2026-02-01', to: '2026-04-20' } });
    }
    await expect(init(join(folder, 'orders/*/*.json'), { surface: 'orders' })).rejects.toMatchObject({ code: 'UND-FILE' });
  });

  it('never writes over a configuration', async () => {
    const path = await file('shop.csv', 'user,item,time\nu1,i1,2026-01-01\nu2,i2,2026-01-02\n');
    const { path: config } = await init(path);
    const before = await readFile(config, 'utf8');
    await expect(init(path, { owner: 'eve' })).rejects.toMatchObject({ code: 'UND-INPUT', message: expect.stringContaining('is there already') });
    expect(await readFile(config, 'utf8')).toBe(before);
    await init(path, { owner: 'eve', force: true });
    expect(await readFile(config, 'utf8')).toBe(before.replaceAll('ada', 'eve'));
  });

  it('says why a folder will not do', async () => {
    const path = await file('shop.csv', 'user,item,time\nu1,i1,2026-01-01\nu2,i2,2026-01-02\n');
    for (const where of [path, join(path, 'below')])
      await expect(init(path, { folder: where }), where).rejects.toMatchObject({ code: 'UND-INPUT', message: expect.stringContaining('--dir') });
  });

  it('names every mistake', async () => {
    const path = await file('shop.csv', 'user,item,time\nu1,i1,2026-01-01\nu2,i2,2026-01-02\n');
    await expect(init(path, { fixed: { user: 'customer', at: 'when' } })).rejects.toMatchObject({
      code: 'UND-INPUT',
      mistakes: [{ path: '/at' }, { path: '/user' }],
    });
    await expect(init(path, { fixed: { user: 'item', item: 'item' } })).rejects.toMatchObject({
      code: 'UND-INPUT',
      message: expect.stringContaining('item is item already'),
    });
    await expect(init(path, { constantKind: 'stare' })).rejects.toMatchObject({ code: 'UND-INPUT' });
    await expect(init(path, { surface: 'No Good' })).rejects.toMatchObject({ code: 'UND-INPUT', message: expect.stringContaining('--surface') });
    await expect(init(path, { timeZone: 'Mars/Base', owner: '' })).rejects.toMatchObject({
      code: 'UND-CHARTER',
      message: expect.stringMatching(/owners.*timeZone/),
    });
    await expect(init(await file('untimed.csv', 'user,item\nu1,i1\nu2,i2\n'))).rejects.toMatchObject({
      code: 'UND-INPUT',
      message: expect.stringContaining('--at'),
    });
    // Names that are data would lose the first row and stand in the mapping.
    await expect(init(await file('headless.csv', 'u1,i1,2026-01-01\nu2,i2,2026-01-02\nu3,i3,2026-01-03\n'))).rejects.toMatchObject({
      code: 'UND-INPUT',
      message: expect.stringContaining('write a header'),
    });
    const foreign = await file('foreign.csv', 'user,item,time,action\nu1,i1,2026-01-01,wish\nu2,i2,2026-01-02,share\n');
    await expect(init(foreign)).rejects.toMatchObject({ code: 'UND-INPUT', message: expect.stringMatching(/action says share, wish.*--kind-is/) });
    expect((await init(foreign, { fixed: { kind: '' }, constantKind: 'view', dryRun: true })).constantKind).toBe('view');
    await expect(init(join(folder, 'none.csv'))).rejects.toMatchObject({ code: 'UND-FILE' });
    expect((await readdir(folder)).sort()).toEqual(['foreign.csv', 'headless.csv', 'shop.csv', 'untimed.csv']);
  });

  it('divides the days that there are', () => {
    for (let span = 3; span < 900; span += 1) {
      const { trainDays, gapDays = 0, testDays } = windowFor(span);
      expect(trainDays).toBeGreaterThan(0);
      expect(testDays).toBeGreaterThan(0);
      expect(trainDays + gapDays + testDays).toBeLessThanOrEqual(span);
    }
  });
});

describe('the command', () => {
  it('prints one JSON document, or lines for people', async () => {
    await file('shop.csv', 'user,item,time\nu1,i1,2026-01-01\nu2,i2,2026-01-02\n');
    const written: string[] = [];
    const write = vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => written.push(String(chunk)) > 0);
    try {
      await initCommandIn({ cwd: folder }).parseAsync(['shop.csv', '--json', '--dry-run', '--dir', 'here', '--item', 'item'], { from: 'user' });
      expect(JSON.parse(written.join(''))).toMatchObject({
        surface: 'shop',
        path: join(folder, 'here', 'understudy.config.ts'),
        written: false,
        columns: { item: 'item' },
      });
      written.length = 0;
      await initCommandIn({ cwd: folder }).parseAsync(['shop.csv', '--yes', '--surface', 'home'], { from: 'user' });
      expect(written.join('')).toContain(`Wrote ${join(folder, 'home', 'understudy.config.ts')}`);
    } finally {
      write.mockRestore();
    }
  });
});
