import { stat } from 'node:fs/promises';
import { Command } from 'commander';
import { openState, type State } from '../../activities/context.ts';
import { currentCharter } from '../../activities/registry/charters.ts';
import { listRuns, requireRunOf } from '../../activities/registry/runs.ts';
import { findIndexMeasurements } from '../../activities/training/choose-index.ts';
import { distillationFile } from '../../activities/training/state-distillation.ts';
import { artifactManifest, type IndexMeasurements } from '../../models/contracts/artifact.ts';
import { canonicalJson } from '../../models/contracts/digest.ts';
import { distillation, type DistillationStatement } from '../../models/contracts/distillation.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { type GraphWeight, graphWeights } from '../../models/graph/graph-weights.ts';
import { getDocument } from '../../stores/blobs.ts';
import { latestDeployment } from '../../stores/deployments.ts';
import { type CommandContext, stateDirectory } from '../environment.ts';
import { digest, someText, surface as surfaceArgument } from '../option-values.ts';
import { emit, table } from '../output.ts';

type Options = { run?: string; artifact?: string; state?: string; json?: boolean };

/** Smaller ones are named together. */
const shownFrom = 0.01;

/** `understudy artifact`: what a model is made of, how large its parts are, what a heavier one taught it, and how its graph came to find the best items as it does. */
export function artifactCommand(context: CommandContext): Command {
  return new Command('artifact')
    .description('what a model is made of and how large that is, and how its index was chosen; of the champion, else of the newest run')
    .argument('<surface>', 'name of the surface', surfaceArgument)
    .option('--run <run>', 'of this run of `understudy runs`', someText)
    .option('--artifact <digest>', 'this one', digest)
    .option('--state <dir>', 'state directory', someText)
    .option('--json', 'one JSON document on stdout')
    .action(async (surface: string, options: Options) => {
      const state = openState(stateDirectory(context, options.state));
      const document = await describeArtifact(state, await choose(state, surface, options));
      emit({ json: options.json === true, document, text: textOf(document) });
    });
}

async function choose(state: State, surface: string, { run, artifact }: Options): Promise<string> {
  await currentCharter(state, surface);
  if (artifact !== undefined) return artifact;
  if (run !== undefined) return (await requireRunOf(state, surface, run)).artifact;
  const chosen = (await latestDeployment(state.generations, surface))?.champion ?? (await listRuns(state, surface)).at(-1)?.artifact;
  if (chosen === undefined) throw new UnderstudyError('UND-NOT-FOUND', `${surface} has no model yet: \`understudy retrain ${surface}\` makes one`);
  return chosen;
}

type Described = {
  artifact: string;
  candidate: string;
  algorithm: string;
  items: number;
  files: { name: string; bytes: number }[];
  /** Of the graph, wherever they stand. */
  weights: GraphWeight[];
  index: IndexMeasurements | null;
  /** Of a model that a heavier one taught. */
  distillation: DistillationStatement | null;
};

async function describeArtifact(state: State, artifact: string): Promise<Described> {
  const { blobs } = state;
  const manifest = await getDocument(blobs, artifact, artifactManifest);
  const files: Described['files'] = [];
  let weights: GraphWeight[] = [];
  for (const [name, file] of Object.entries(manifest.files)) {
    files.push({ name, bytes: (await stat(await blobs.localPath(file))).size });
    if (name === 'recommend.onnx') weights = graphWeights(await blobs.get(file));
  }
  const { candidate, algorithm, itemCount: items } = manifest;
  const stated = manifest.files[distillationFile];
  return {
    ...{ artifact, candidate, algorithm, items, files, weights },
    index: (await findIndexMeasurements(state, manifest)) ?? null,
    distillation: stated === undefined ? null : await getDocument(blobs, stated, distillation),
  };
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(3)} MB`;

function textOf({ artifact, candidate, algorithm, items, files, weights, index, distillation: stated }: Described): string {
  const all = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const large = weights.filter(({ bytes }) => bytes >= shownFrom * all).sort((a, b) => b.bytes - a.bytes);
  const small = weights.filter((one) => !large.includes(one));
  const rest = small.reduce((sum, { bytes }) => sum + bytes, 0);
  const share = (bytes: number) => `${((100 * bytes) / all).toFixed(1)} %`;
  return [
    `${candidate} (${algorithm}), ${items} items, ${megabytes(all)}: ${artifact}`,
    '',
    table(
      ['file', 'size', 'share'],
      files.map(({ name, bytes }) => [name, megabytes(bytes), share(bytes)]),
    ),
    '',
    table(
      ['weight', 'type', 'shape', 'size', 'share'],
      [
        ...large.map(({ name, type, shape, bytes }) => [name, type, shape.join(' x '), megabytes(bytes), share(bytes)]),
        ...(small.length === 0 ? [] : [[`${small.length} smaller ones`, '', '', megabytes(rest), share(rest)]]),
      ],
    ),
    ...(stated === null ? [] : ['', distillationText(stated)]),
    ...(index === null ? [] : ['', indexText(index)]),
  ].join('\n');
}

/** What the small model saves, and what it costs. */
function distillationText({ teacher, student, users, difference, agreementAt20 }: DistillationStatement): string {
  const rowOf = (name: string, { parameters, bytes, ndcgAt10 }: DistillationStatement['teacher']) => [
    ...[name, String(parameters), megabytes(bytes), ndcgAt10 === null ? 'nobody held out' : ndcgAt10.toFixed(4)],
  ];
  const cost =
    difference === null || agreementAt20 === null
      ? []
      : [
          '',
          `taught by a heavier one: NDCG@10 ${signed(difference.value)} (${signed(difference.low)} to ${signed(difference.high)}) for ${users} users that neither was trained on, ${(100 * agreementAt20).toFixed(0)} % of the best 20 the same`,
        ];
  return [table(['ranker', 'parameters', 'graph', 'NDCG@10'], [rowOf('this one', student), rowOf('its teacher', teacher)]), ...cost].join('\n');
}

const signed = (value: number): string => `${value < 0 ? '-' : '+'}${Math.abs(value).toFixed(4)}`;

/** What was measured, and what is against each. */
function indexText({ measured, chosen, weights, constraint, requests, cpu, why }: IndexMeasurements): string {
  const asked = [
    ...(constraint === undefined ? [] : [`recall@100 of ${constraint.recallAt100}, ${constraint.p99Ms} ms at the 99th percentile, ${constraint.memoryMb} MB`]),
    ...(measured.some((one) => one.weights === '8-bit') ? ['items in 8 bits'] : []),
  ];
  const rows = measured.map((one) => [
    one.name,
    one.weights ?? 'float32',
    one.recallAt100.toFixed(4),
    one.agreementAt20.toFixed(4),
    one.p50Ms.toFixed(2),
    one.p99Ms.toFixed(2),
    megabytes(one.bytes),
    canonicalJson(one.way) === canonicalJson(chosen) && one.weights === weights ? 'chosen' : one.objections.join('; '),
  ]);
  return [
    `asked: ${asked.join('; ')}; measured with ${requests} requests on ${cpu}`,
    '',
    table(['way', 'items', 'recall@100', 'same best 20', 'p50 ms', 'p99 ms', 'size', ''], rows),
    '',
    why,
  ].join('\n');
}
