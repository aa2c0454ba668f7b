import { createWriteStream } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Interactions } from '../../models/algorithms/algorithm.ts';
import { giveWay } from '../../models/algorithms/checkpoint.ts';
import type { CatalogItem } from '../../models/contracts/catalog-item.ts';
import { recipe as recipeSchema } from '../../models/contracts/recipe.ts';
import { trainContract, trainJob, type TrainOrder } from '../../models/contracts/train-job.ts';
import { windowManifest } from '../../models/contracts/window.ts';
import { replaceFile } from '../../stores/durable-files.ts';
import { getDocument } from '../../stores/blobs.ts';
import type { PreparedRetrain } from '../api.ts';
import { type Context, readCharter } from '../context.ts';
import { catalogDocument } from '../events/build-catalog.ts';
import { text, withDuck } from '../events/duckdb.ts';
import { readTrain } from '../windows/read-window.ts';
import type { Beat } from '../worker.ts';
import { jobFolder, openJobFolder } from './checkpoints.ts';

/**
 * Writes the folder that a worker of somebody else's trains in: what is known of the train part, with people by number. What an attempt before this one left in
 * `work/` stays.
 * @throws UND-NO-DATA where the train part is empty
 */
export async function openTraining(context: Context, work: PreparedRetrain, { beat, signal, ...of }: Beat): Promise<TrainOrder> {
  const { blobs } = context.state;
  const recipe = await getDocument(blobs, work.recipe, recipeSchema);
  const window = await getDocument(blobs, work.window, windowManifest);
  const charter = await readCharter(blobs, work.charter);
  const { name, path } = await openJobFolder(context, work, of);
  const { interactions, vocabulary } = await readTrain({ window, blobs, charter, recipe, signal });
  const { surface, candidate, params, seed, confidence, repeatPolicy } = recipe;
  const { userCount: users, itemCount: items } = interactions;
  await rm(join(path, 'out'), { recursive: true, force: true });
  for (const inner of ['out', 'work']) await mkdir(join(path, inner), { recursive: true });
  beat();
  await writeInteractions({ interactions, folder: path, signal });
  await writeFile(join(path, 'vocabulary.json'), JSON.stringify(vocabulary));
  const known = new Map((await getDocument(blobs, window.catalog, catalogDocument)).map((item) => [item.itemId, item]));
  await writeFile(join(path, 'catalog.json'), JSON.stringify(vocabulary.map((itemId) => factsOf(known.get(itemId)))));
  const job = trainJob.parse({
    contract: trainContract,
    ...{ surface, candidate, params, seed, confidence, repeatPolicy },
    days: { ...window.train, timeZone: window.timeZone },
    counts: { users, items, entries: interactions.items.length },
  });
  await replaceFile(join(path, 'job.json'), JSON.stringify(job));
  return { contract: trainContract, folder: name, surface, candidate };
}

/** Removes what `openTraining` wrote, and what was made in it. */
export async function closeTraining({ state }: Pick<Context, 'state'>, work: PreparedRetrain, of: Pick<Beat, 'workflowId'>): Promise<void> {
  // Whoever has not heard yet that the training is over may write into it meanwhile.
  await rm(jobFolder(state, work, of).path, { recursive: true, force: true, maxRetries: 5 });
}

/** What an item is. When it was seen first and last, and whether there is any, would tell of days that the model must not know. */
function factsOf(item: CatalogItem | undefined): Partial<CatalogItem> | null {
  if (item === undefined) return null;
  const { title, category, brand, priceMinor } = item;
  return { title, category, brand, priceMinor };
}

const entriesPerPiece = 50_000;

/** `interactions.parquet`: user and item by number, weight, at_ms; by user, then time. */
async function writeInteractions({ interactions, folder, signal }: { interactions: Interactions; folder: string; signal: AbortSignal }): Promise<void> {
  const csv = join(folder, 'interactions.csv');
  await pipeline(Readable.from(rowsOf(interactions)), createWriteStream(csv), { signal });
  const columns = "{'user': 'INTEGER', 'item': 'INTEGER', 'weight': 'FLOAT', 'at_ms': 'BIGINT'}";
  await withDuck({ workDir: folder, signal }, (duck) =>
    duck.run(
      `COPY (FROM read_csv(${text(csv)}, header = false, auto_detect = false, columns = ${columns})) TO ${text(join(folder, 'interactions.parquet'))} (FORMAT parquet, COMPRESSION zstd)`,
    ),
  );
  await rm(csv);
}

async function* rowsOf({ userCount, indptr, items, weights, atMs }: Interactions): AsyncGenerator<string> {
  let lines: string[] = [];
  for (let user = 0; user < userCount; user += 1) {
    for (let entry = indptr[user] as number; entry < (indptr[user + 1] as number); entry += 1)
      lines.push(`${user},${items[entry]},${weights[entry]},${atMs[entry]}\n`);
    if (lines.length < entriesPerPiece) continue;
    yield lines.join('');
    lines = [];
    await giveWay();
  }
  yield lines.join('');
}
