import { mkdir, mkdtemp, open, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import protobuf from 'protobufjs/minimal.js';
import { expect, it, onTestFinished } from 'vitest';
import { weightsFile } from '../../models/contracts/artifact.ts';
import { OnnxBuilder, type Value } from '../../models/graph/onnx-builder.ts';
import { declareAnswer, declareInputs } from '../../models/graph/recommend-interface.ts';
import { openRecommendGraph } from '../../models/graph/session.ts';
import type { BlobStore } from '../../stores/blobs.ts';
import { withBench } from '../events/testing.ts';
import { answersOf } from './guest-answers.ts';
import { loadGuest, storeGuestFolder } from './guest.ts';
import { tryGuest } from './try-guest.ts';

const itemCount = 30;

/** Item 0 is the best, whatever is asked. */
async function openGuest(make: (builder: OnnxBuilder, inputs: ReturnType<typeof declareInputs>) => void) {
  const builder = new OnnxBuilder({ name: 'guest' });
  make(builder, declareInputs(builder, itemCount));
  const graph = await openRecommendGraph({ ...builder.build(), itemCount, maxHistory: 5 });
  onTestFinished(() => graph.close());
  return graph;
}
const scores = (length: number) => Float32Array.from({ length }, (_, item) => Math.max(0, itemCount - item));

it("a guest's answers are taken down when it obeys exclusions and scope", async () => {
  const graph = await openGuest((builder, inputs) => declareAnswer(builder, inputs, builder.constant(scores(itemCount + 1), [itemCount + 1]), itemCount));
  const { requests } = await answersOf(graph, itemCount);
  expect(requests.map(({ items }) => items[0])).toEqual([0, 1, 0, 1]);
});

it('a guest that does not obey is refused: it would be measured on slates that nobody is shown', async () => {
  const graph = await openGuest((builder, inputs) => {
    const known = builder.constant(scores(itemCount), [itemCount]);
    const [best, index] = builder.nodes('TopK', [known, inputs.count], 2, { axis: { int: 0 } });
    if (best === undefined || index === undefined) throw new Error('no answer');
    builder.output({ name: 'items', type: 'int64', shape: ['count'], value: index });
    builder.output({ name: 'scores', type: 'float32', shape: ['count'], value: best });
  });
  await expect(answersOf(graph, itemCount)).rejects.toMatchObject({ code: 'UND-ARTIFACT', message: expect.stringContaining('`exclude` leaves out') });
});

type Build = (builder: OnnxBuilder, inputs: ReturnType<typeof declareInputs>) => void;

/** The bytes of a graph in a file, tried as a guest's is. */
async function tryBytes(bytes: Uint8Array, timeoutMs?: number) {
  const folder = await mkdtemp(join(tmpdir(), 'understudy-guest-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, 'recommend.onnx');
  await writeFile(path, bytes);
  return tryGuest({ path, itemCount, maxHistory: 5, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
}

function graphOf(build: Build): Uint8Array {
  const builder = new OnnxBuilder({ name: 'guest' });
  build(builder, declareInputs(builder, itemCount));
  return builder.build().bytes;
}

/** Its scores go through `change` first. */
const changed = (change: (builder: OnnxBuilder, scores: Value, inputs: ReturnType<typeof declareInputs>) => Value): Uint8Array =>
  graphOf((builder, inputs) => declareAnswer(builder, inputs, change(builder, builder.constant(scores(itemCount + 1), [itemCount + 1]), inputs), itemCount));

it('is tried in a process of its own, with the answers that it gives here', async () => {
  const bytes = changed((_, given) => given);
  const graph = await openRecommendGraph({ bytes, itemCount, maxHistory: 5 });
  onTestFinished(() => graph.close());
  expect(await tryBytes(bytes)).toEqual(await answersOf(graph, itemCount));
});

it.each([
  { what: 'bytes that are no graph', bytes: () => Buffer.from('this is no graph at all'), says: /cannot load/ },
  { what: 'a graph that ends in the middle', bytes: () => changed((_, given) => given).subarray(0, 300), says: /cannot load/ },
  { what: 'an operator that there is not', bytes: () => changed((builder, given) => builder.node('Bewitch', [given])), says: /Bewitch/ },
  {
    what: 'an operator of somebody else',
    bytes: () => changed((builder, given) => builder.node('org.example.Steal', [given])),
    says: /Steal/,
  },
  {
    what: 'a shape that does not fit',
    bytes: () => changed((builder, given) => builder.node('Reshape', [given, builder.constant([7, 7], [2])])),
    says: /cannot load|failed/,
  },
  {
    what: 'what eats all memory',
    bytes: () =>
      changed((builder, given, { count }) => {
        const huge = builder.node('Expand', [builder.node('Cast', [count], { to: { int: 1 } }), builder.constant([1e7, 1e7], [2])]);
        return builder.node('Add', [given, builder.node('ReduceSum', [huge], { keepdims: { int: 0 } })]);
      }),
    says: /failed|ended the process/,
  },
  {
    what: 'scores that are no numbers',
    bytes: () => changed((builder, given) => builder.node('Sqrt', [builder.node('Sub', [given, builder.float32(100)])])),
    says: /score NaN/,
  },
  {
    what: 'a cycle',
    bytes: () =>
      changed((builder, given) => {
        const named = Number(builder.node('Abs', [given]).name.slice(1));
        const first = builder.node('Add', [given, { name: `v${named + 2}` }]);
        return builder.node('Abs', [first]);
      }),
    says: /cannot load/,
  },
])('refuses $what', async ({ bytes, says }) => {
  await expect(tryBytes(bytes())).rejects.toMatchObject({ code: 'UND-ARTIFACT', message: expect.stringMatching(says) });
});

it('refuses a file that is larger than any graph, without reading it', () =>
  withBench(async ({ folder, blobs }) => {
    const guest = join(folder, 'guest');
    await mkdir(guest);
    await writeFile(join(guest, 'guest.json'), JSON.stringify({ interface: 'understudy.recommend/1', name: 'guest', maxHistory: 5 }));
    await writeFile(join(guest, 'vocabulary.json'), '["a"]');
    const file = await open(join(guest, 'recommend.onnx'), 'w');
    await file.truncate(3 * 2 ** 30);
    await file.close();
    await expect(storeGuestFolder(blobs, { folder: guest })).rejects.toMatchObject({
      code: 'UND-ARTIFACT',
      message: expect.stringContaining('larger than 2 GiB'),
    });
  }));

/** The graph of a model, to stand in another one. */
function graphWithin(model: Uint8Array): Uint8Array {
  const reader = protobuf.Reader.create(model);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag >>> 3 === 7) return reader.bytes();
    reader.skipType(tag & 7);
  }
  throw new Error('There is no graph in it');
}

it('does not wait for a graph that never ends', async () => {
  const body = new OnnxBuilder({ name: 'again' });
  body.input({ name: 'turn', type: 'int64', shape: [] });
  const goesOn = body.input({ name: 'goes_on', type: 'bool', shape: [] });
  const sum = body.input({ name: 'sum', type: 'float32', shape: [itemCount + 1] });
  body.output({ name: 'goes_on_still', type: 'bool', shape: [], value: goesOn });
  body.output({ name: 'sum_now', type: 'float32', shape: [itemCount + 1], value: sum });
  const bytes = changed((builder, given) => {
    const [often, yes] = [builder.constant([Number.MAX_SAFE_INTEGER], []), builder.node('Cast', [builder.constant([1], [])], { to: { int: 9 } })];
    return builder.node('Loop', [often, yes, given], { body: { graph: graphWithin(body.build().bytes) } });
  });
  const startedMs = performance.now();
  await expect(tryBytes(bytes, 2_000)).rejects.toMatchObject({ code: 'UND-ARTIFACT', message: 'The graph did not answer within 2 s' });
  expect(performance.now() - startedMs).toBeGreaterThan(1_900);
});

/** A guest folder whose graph has a table beside it. @param leave what stands where the table should, if not the table */
async function withLargeGuest(use: (of: { blobs: BlobStore; guest: string; leave: (path: string) => Promise<void> }) => Promise<void>): Promise<void> {
  await withBench(async ({ folder, blobs }) => {
    const guest = join(folder, 'guest');
    await mkdir(guest);
    const many = 20_000;
    const builder = new OnnxBuilder({ name: 'guest' });
    declareAnswer(
      builder,
      declareInputs(builder, many),
      builder.constant(
        Float32Array.from({ length: many + 1 }, (_, item) => -item),
        [many + 1],
      ),
      many,
    );
    const { bytes, weights = new Uint8Array() } = builder.build();
    await writeFile(join(guest, 'guest.json'), JSON.stringify({ interface: 'understudy.recommend/1', name: 'guest', maxHistory: 5 }));
    await writeFile(join(guest, 'vocabulary.json'), JSON.stringify(Array.from({ length: many }, (_, item) => `i${item}`)));
    await writeFile(join(guest, 'recommend.onnx'), bytes);
    await use({ blobs, guest, leave: (path) => writeFile(path, weights) });
  });
}

it('takes a graph with its weights beside it, tries it so, and keeps both', () =>
  withLargeGuest(async ({ blobs, guest, leave }) => {
    await leave(join(guest, weightsFile));
    const { files, graphPath, vocabulary } = await loadGuest(blobs, await storeGuestFolder(blobs, { folder: guest }));
    expect(Object.keys(files).sort()).toEqual(['recommend.onnx', 'recommend.weights', 'vocabulary.json']);
    const { requests } = await tryGuest({ path: graphPath, itemCount: vocabulary.length, maxHistory: 5 });
    expect(requests[0]?.items[0]).toBe(0);
  }));

it('refuses weights that lie elsewhere than beside the graph, before anything is stored or loaded', () =>
  withLargeGuest(async ({ blobs, guest, leave }) => {
    const refused = (message: RegExp) =>
      expect(storeGuestFolder(blobs, { folder: guest })).rejects.toMatchObject({ code: 'UND-ARTIFACT', message: expect.stringMatching(message) });
    await refused(/recommend.weights, which is not there/);
    await leave(join(guest, '..', 'elsewhere'));
    await symlink(join('..', 'elsewhere'), join(guest, weightsFile));
    await refused(/recommend.weights is no file of its own/);
    await rm(join(guest, weightsFile));
    await leave(join(guest, weightsFile));
    await truncate(join(guest, weightsFile), 100);
    await refused(/ends behind the end of recommend.weights/);
    await leave(join(guest, weightsFile));
    const graph = await readFile(join(guest, 'recommend.onnx'));
    const at = graph.indexOf(weightsFile);
    for (const location of ['/../../etc/passwd', '/etc/hostname/..', '*/_ORT_MEM_ADDR']) {
      await writeFile(
        join(guest, 'recommend.onnx'),
        Buffer.from(graph).fill(location.padEnd(weightsFile.length, '/').slice(0, weightsFile.length), at, at + weightsFile.length),
      );
      await refused(/only recommend.weights beside the graph may hold any/);
    }
    for await (const { digest } of blobs.list()) throw new Error(`${digest} was stored`);
  }));
