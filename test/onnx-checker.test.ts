import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { findPeerPython } from '../bench/peer-python.ts';
import { cacheDirectory } from '../bootstrap/paths.mjs';
import type { Interactions } from '../models/algorithms/algorithm.ts';
import { algorithms, parseParams } from '../models/algorithms/registry.ts';
import type { RetrievalWay } from '../models/contracts/artifact.ts';
import { graphFiles } from '../models/graph/graph-files.ts';
import type { GraphBytes } from '../models/graph/onnx-builder.ts';
import { exactWay } from '../models/graph/retrieval/declare-retrieval.ts';
import { roundVectors } from '../models/graph/retrieval/item-table.ts';
import { productGraph } from '../models/graph/retrieval/product-graph.ts';
import { createRandom } from '../models/random.ts';

/** Prints a line a graph: its name, and what the checker of ONNX has against it, with the types and shapes of every value worked out. */
const checker = `
import sys, onnx
for path in sys.argv[1:]:
    try:
        onnx.checker.check_model(path, full_check=True)
        print(path, 'fits')
    except Exception as error:
        print(path, str(error).replace('\\n', ' '))
`;

const quick: Readonly<Record<string, object>> = {
  ials: { factors: 8, sweeps: 1 },
  'gf-cf': { factors: 8 },
  sasrec: { dimensions: 8, epochs: 1 },
  'two-tower': { dimensions: 8, epochs: 1 },
  ncf: { first: { algorithm: 'ials', params: { factors: 8, sweeps: 1 } }, candidates: 20, epochs: 1 },
};

function someInteractions(seed: number): Interactions {
  const random = createRandom(seed);
  const [userCount, itemCount, perUser] = [40, 50, 6];
  const entries = userCount * perUser;
  return {
    userCount,
    itemCount,
    indptr: Uint32Array.from({ length: userCount + 1 }, (_, user) => user * perUser),
    items: Uint32Array.from({ length: entries }, () => random.below(itemCount)),
    weights: new Float32Array(entries).fill(1),
    atMs: Float64Array.from({ length: entries }, (_, entry) => 1_300_000_000_000 + (entry % perUser) * 60_000),
  };
}

test('every algorithm writes graphs that the checker of ONNX has nothing against', async () => {
  const python = await findPeerPython({ requirements: ['onnx'], cache: cacheDirectory(process.env), env: process.env });
  if (python === undefined) throw new Error('The package onnx cannot be had from the Python package index');
  const folder = await mkdtemp(join(tmpdir(), 'understudy-onnx-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const seed = Number(process.env.UNDERSTUDY_TEST_SEED);
  const interactions = someInteractions(seed);
  const vectors = Float32Array.from({ length: interactions.itemCount * 4 }, (_, cell) => Math.sin(cell));
  const names = Object.keys(algorithms);
  const paths: string[] = [];
  const write = async (name: string, graph: GraphBytes) => {
    await mkdir(join(folder, name));
    for (const [file, bytes] of Object.entries(graphFiles(graph))) await writeFile(join(folder, name, file), bytes);
    paths.push(join(folder, name, 'recommend.onnx'));
  };
  for (const name of names) {
    const algorithm = algorithms[name] as (typeof algorithms)[string];
    const params = parseParams(algorithm, quick[name] ?? {});
    const model = await algorithm.train({ interactions, params, seed, embeddings: { dimensions: 4, measure: 'cosine', vectors } });
    const ways: RetrievalWay[] =
      algorithm.retrieval === 'product' ? [exactWay, { way: 'exact-8bit', rerank: 2 }, { way: 'exact-4bit', rerank: 5 }] : [exactWay];
    if (model.products !== undefined) ways.push({ way: 'inverted-lists', cellItems: 8, probes: 3, seed });
    for (const retrieval of ways) await write(`${name} ${retrieval.way}`, model.exportGraph({ retrieval }));
    const rounded = model.rounded?.();
    if (rounded !== undefined) await write(`${name} 8-bit`, rounded.exportGraph());
  }
  // So many that the tables stand in a file beside the graph.
  const items = { vectors: Float32Array.from({ length: 2001 * 40 }, (_, cell) => Math.sin(cell)), width: 40, prior: new Float32Array(2001) };
  await write('large', productGraph(items));
  await write('large, 8-bit', productGraph({ ...items, ...roundVectors(items) }));
  await write('large, 8-bit, lists', productGraph({ ...items, ...roundVectors(items), retrieval: { way: 'inverted-lists', cellItems: 100, probes: 3, seed } }));
  expect(await readdir(join(folder, 'large'))).toEqual(['recommend.onnx', 'recommend.weights']);
  const { stdout } = await promisify(execFile)(python, ['-c', checker, ...paths], { env: { PATH: process.env.PATH } });
  expect(stdout.trim().split('\n')).toEqual(paths.map((path) => `${path} fits`));
});
