import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { openState, readLatest, type State } from '../../activities/context.ts';
import { exportSet } from '../../activities/embeddings/export-set.ts';
import { type ListedSet, listSets } from '../../activities/embeddings/list-sets.ts';
import { currentCharter, listSurfaces } from '../../activities/registry/charters.ts';
import { artifactManifest } from '../../models/contracts/artifact.ts';
import { catalogDocument } from '../../activities/events/build-catalog.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { dataState } from '../../models/contracts/window.ts';
import { createEmbeddingSearch } from '../../models/embeddings/search.ts';
import { getDocument } from '../../stores/blobs.ts';
import { latestDeployment } from '../../stores/deployments.ts';
import { readEmbeddingSet } from '../../stores/embedding-sets.ts';
import { type CommandContext, stateDirectory } from '../environment.ts';
import { digest, someText, surface as surfaceArgument, wholeNumber } from '../option-values.ts';
import { emit, table } from '../output.ts';

type Options = { state?: string; json?: boolean };

/** The options that every part of `understudy embeddings` has. */
function part(name: string, description: string): Command {
  return new Command(name).description(description).option('--state <dir>', 'state directory', someText).option('--json', 'one JSON document on stdout');
}

function listCommand(context: CommandContext): Command {
  return part('list', 'the embedding sets of a surface or of all: who made them, who shares them, which one serves')
    .argument('[surface]', 'name of the surface', surfaceArgument)
    .action(async (surface: string | undefined, options: Options) => {
      const state = openState(stateDirectory(context, options.state));
      if (surface !== undefined) await currentCharter(state, surface);
      const sets: ({ surface: string } & ListedSet)[] = [];
      for (const name of surface === undefined ? await listSurfaces(state) : [surface])
        sets.push(...(await listSets(state, name)).map((one) => ({ surface: name, ...one })));
      emit({ json: options.json === true, document: { sets }, text: describeSets(sets) });
    });
}

function describeSets(sets: readonly ({ surface: string } & ListedSet)[]): string {
  if (sets.length === 0) return 'There is no embedding set. A run of a candidate that makes vectors, such as ials, makes one.';
  const made = table(
    ['surface', 'version', 'serves', 'made by', 'items', 'dimensions', 'measure', 'run'],
    sets.map(({ surface, version, serves, madeBy, set, problem }) => [
      ...[surface, version, serves ? 'yes' : 'no', madeBy?.candidate ?? '?'],
      ...(set === null ? ['?', '?', '?'] : [String(set.count), String(set.dimensions), set.measure]),
      problem ?? madeBy?.runId ?? '?',
    ]),
  );
  const shared = table(
    ['version', 'artifact', 'of', 'serves', 'run'],
    sets.flatMap(({ version, artifacts }) =>
      artifacts.map(({ artifact, candidate, serves, runId }) => [version.slice(0, 19), artifact, candidate, serves ? 'yes' : 'no', runId]),
    ),
  );
  return `${made}\n\n${shared}`;
}

type SimilarOptions = Options & { version?: string; count: number };

function similarCommand(context: CommandContext): Command {
  return part('similar', 'the items most like one, out of all of an embedding set, be they in scope or not')
    .argument('<surface>', 'name of the surface', surfaceArgument)
    .argument('<item>', 'id of the item', someText)
    .option('--version <digest>', 'of the set (default: the one that serves)', digest)
    .option('--count <n>', 'so many', wholeNumber, 10)
    .action(async (surface: string, itemId: string, options: SimilarOptions) => {
      const state = openState(stateDirectory(context, options.state));
      await currentCharter(state, surface);
      const version = options.version ?? (await servingVersion(state, surface));
      const { set, ids, vectors } = await readEmbeddingSet(state.blobs, version);
      if (set.surface !== surface) throw new UnderstudyError('UND-INPUT', `The embedding set ${version} is of ${set.surface}, not of ${surface}`);
      const own = ids.indexOf(itemId);
      if (own < 0) throw new UnderstudyError('UND-NOT-FOUND', `The embedding set ${version} has no item ${itemId}`);
      const search = createEmbeddingSearch({ ...set, vectors });
      const { rows, scores } = search.nearest({ vector: search.vector(own), count: options.count, allowed: (row) => row !== own });
      const titles = await titlesOf(state, surface);
      const items = rows.map((row, place) => ({ itemId: ids[row] as string, score: scores[place] as number, title: titles.get(ids[row] as string) ?? null }));
      emit({
        json: options.json === true,
        document: { surface, version, measure: set.measure, itemId, items },
        text: table(
          ['item', set.measure, 'title'],
          items.map((one) => [one.itemId, one.score.toFixed(4), one.title ?? '']),
        ),
      });
    });
}

/** @throws UND-NOT-FOUND where nothing serves, or what serves has no vectors */
async function servingVersion(state: State, surface: string): Promise<string> {
  const deployed = await latestDeployment(state.generations, surface);
  const version = deployed && (await getDocument(state.blobs, deployed.champion, artifactManifest)).embeddings;
  if (version !== undefined) return version;
  const why = deployed === undefined ? `Nothing serves on ${surface}` : `The champion of ${surface} has no embedding set`;
  throw new UnderstudyError('UND-NOT-FOUND', `${why}: name one with --version; \`understudy embeddings list ${surface}\` lists those that there are`);
}

async function titlesOf(state: State, surface: string): Promise<Map<string, string>> {
  const data = await readLatest(state.generations, `data/${surface}`, dataState);
  const catalog = data === undefined ? [] : await getDocument(state.blobs, data.document.catalog, catalogDocument);
  return new Map(catalog.map(({ itemId, title }) => [itemId, title]));
}

function exportCommand(context: CommandContext): Command {
  return part('export', 'an embedding set as Parquet, a row an item: item_id, vector')
    .argument('<version>', 'of the set', digest)
    .requiredOption('--out <file>', 'Parquet', someText)
    .action(async (version: string, options: Options & { out: string }) => {
      const state = openState(stateDirectory(context, options.state));
      const out = resolve(context.cwd, options.out);
      const found = await readEmbeddingSet(state.blobs, version);
      await exportSet(found, { out, workDir: tmpdir() });
      const { surface, count, dimensions, measure, madeBy } = found.set;
      emit({
        json: options.json === true,
        document: { version, surface, out, items: count, dimensions, measure, madeBy },
        text: `${count} vectors of ${dimensions} numbers, of ${surface}, to be compared by ${measure}, in ${out}`,
      });
    });
}

export function embeddingsCommand(context: CommandContext): Command {
  return new Command('embeddings')
    .description('embedding sets: vectors of items that models share, by version')
    .addCommand(listCommand(context))
    .addCommand(similarCommand(context))
    .addCommand(exportCommand(context));
}
