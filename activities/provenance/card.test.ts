import { readFile } from 'node:fs/promises';
import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { report as reportSchema } from '../../models/contracts/report.ts';
import { getDocument } from '../../stores/blobs.ts';
import { requireRun } from '../registry/runs.ts';
import { drawRows, openRuns } from '../rerun/testing.ts';
import { type CardSource, cardOfRun } from './card-source.ts';
import { mlBom } from './ml-bom.ts';
import { modelCard } from './model-card.ts';
import { htmlOf } from './page.ts';

const title = `Home <script>alert("1")</script> & 'more'`;
let runs: Awaited<ReturnType<typeof openRuns>>;
let runId: string;
let card: CardSource;
beforeAll(async () => {
  const rows = drawRows({ users: 90, perUser: 12, days: 40, seed: Number(process.env.UNDERSTUDY_TEST_SEED) });
  runs = await openRuns({ files: { 'events.csv': rows }, charter: { title, owners: ['Ann & Bo'], evaluation: { minSegmentUsers: 20 } } });
  runId = await runs.run();
  card = await cardOfRun(runs.state, await requireRun(runs, runId));
}, 120_000);
afterAll(() => runs.close());

/** The schemas as their makers publish them. */
async function officialSchema(name: string): Promise<Record<string, unknown>> {
  const folder = new URL('../../node_modules/@cyclonedx/cyclonedx-library/res/schema/', import.meta.url);
  return JSON.parse(await readFile(new URL(`${name}.SNAPSHOT.schema.json`, folder), 'utf8')) as Record<string, unknown>;
}

async function validator() {
  const ajv = new Ajv({ strict: false, allErrors: true, formats: { 'idn-email': true, 'iri-reference': true } });
  addFormats.default(ajv);
  for (const name of ['spdx', 'jsf-0.82']) ajv.addSchema(await officialSchema(name), `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json`);
  return ajv.compile(await officialSchema('bom-1.6'));
}

it('is an ML-BOM by the official schema, the same each time, whose references lead somewhere', async () => {
  const validate = await validator();
  const bom = mlBom(card);
  validate(bom);
  expect(validate.errors).toBeNull();
  expect(validate({ ...bom, serialNumber: 'urn:uuid:no' })).toBe(false);
  expect(mlBom(await cardOfRun(runs.state, await requireRun(runs, runId)))).toEqual(bom);
  const text = JSON.stringify(bom);
  const refs = [...text.matchAll(/"bom-ref":"([^"]+)"/g)].map(([, ref]) => ref);
  expect(new Set(refs).size).toBe(refs.length);
  for (const [, ref] of text.matchAll(/"ref":"([^"]+)"/g)) expect(refs).toContain(ref);
  const { component } = bom.metadata as { component: { modelCard: { quantitativeAnalysis: { performanceMetrics: { type: string; value: string }[] } } } };
  const { report } = card;
  expect(component.modelCard.quantitativeAnalysis.performanceMetrics).toContainEqual(
    expect.objectContaining({ type: 'ndcg@10', value: String(report.metrics['ndcg@10']?.value) }),
  );
  expect(bom.components).toContainEqual(expect.objectContaining({ type: 'library', name: 'onnxruntime-node' }));
});

it('says what was measured: its figures are those of the report and of the slices themselves', async () => {
  const html = htmlOf(modelCard(card));
  const report = await getDocument(runs.state.blobs, card.reportDigest, reportSchema);
  const { value, low, high } = report.metrics['ndcg@10'] ?? { value: 0, low: 0, high: 0 };
  expect(html).toContain(`<td>ndcg@10</td><td>${value.toFixed(4)} [${low.toFixed(4)}, ${high.toFixed(4)}]</td>`);
  expect(card.data.train.events).toBe(card.window.rows.train);
  expect(card.data.test.events).toBe(card.window.rows.test);
  expect(card.data.train.byKind.reduce((sum, { events }) => sum + events, 0)).toBe(card.window.rows.train);
  expect(html).toContain(`<td>events</td><td>${card.window.rows.train}</td><td>${card.window.rows.test}</td>`);
  for (const gate of report.gates) expect(html).toContain(`<td>${gate.gate}</td>`);
  for (const { digest } of card.window.trainSlices) expect(html).toContain(digest);
  expect(html).toContain(card.making?.code.files);
});

it('is a page that stands by itself, whatever the charter calls the surface', () => {
  const html = htmlOf(modelCard(card));
  expect(html).toContain('<dd>Home &lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;more&#39;</dd>');
  expect(html).not.toMatch(/<script|<link|\bsrc=|\bon[a-z]+=/);
  expect([...html.matchAll(/<(section|table|dl|svg|div)\b/g)].length).toBe([...html.matchAll(/<\/(section|table|dl|svg|div)>/g)].length);
});

it('says which of its data were erased since, and by whose certificate', async () => {
  const slice = card.window.trainSlices[3];
  await runs.state.blobs.erase(slice?.digest ?? '', 'er-0123456789abcdef01234567');
  const after = await cardOfRun(runs.state, await requireRun(runs, runId));
  expect(after.erased).toEqual([{ day: slice?.day, digest: slice?.digest, certificate: 'er-0123456789abcdef01234567' }]);
  expect(after.data.train).toMatchObject({ missing: 1, events: card.window.rows.train - (slice?.rows ?? 0) });
  expect(htmlOf(modelCard(after))).toContain('by er-0123456789abcdef01234567');
  const validate = await validator();
  validate(mlBom(after));
  expect(validate.errors).toBeNull();
});
