import { cpus, totalmem } from 'node:os';
import { Command, Option } from 'commander';
import { findMlflow } from '../bootstrap/mlflow.mjs';
import { cacheDirectory } from '../bootstrap/paths.mjs';
import { benchAttribution } from './attribution.ts';
import { benchData, printDataBench } from './data.ts';
import { benchDrift } from './drift.ts';
import { benchFeedback } from './feedback.ts';
import { benchGpu, printGpuBench } from './gpu.ts';
import { benchLoop, printLoopBench } from './loop.ts';
import { benchOpe, printOpeBench } from './ope.ts';
import { benchRanking, printRankingBench } from './ranking.ts';
import { benchRetrieval, printRetrievalBench } from './retrieval.ts';
import { benchRootCause } from './root-cause.ts';
import { benchServing, printServingBench } from './serving.ts';
import { benchSlate, printSlateBench } from './slate.ts';
import { benchTraining, printTrainingBench } from './training.ts';
import { benchWatch } from './watch.ts';
import { writeQuality } from './write-quality.ts';
import type { PageRun } from './page-run.ts';

/** What is measured against a named peer in the same run, medians of several rounds; all of them where none is named. */
const ratios = {
  serving: 'requests a second and their latency',
  slate: 'what happens to a ranked list',
  loop: 'a whole retraining',
  ope: 'counterfactual estimates',
  ranking: 'ranking metrics',
  data: 'validation, rotation, joins and erasure over 20 million events',
  training: 'iALS, networks, spectra; networks beside PyTorch with --torch',
  retrieval: 'indexes over 100 thousand and a million vectors',
};
/** Only where they are named: they write a page of docs/, or need what most machines have not. */
const named = {
  gpu: "training on this machine's GPU beside the CPU; beside PyTorch with --torch",
  quality: 'the algorithms against each other: docs/quality.md',
  attribution: 'causes found by ours and by published methods: docs/attribution.md',
  'root-cause': 'how often root-cause analysis is right: docs/root-cause.md',
  watch: 'false alarms, and time to detection of planted faults: docs/watch.md',
  drift: 'false alarms and power of what tells drift: docs/drift.md',
  feedback: 'what a feedback loop does and what mends it: docs/feedback.md',
};
type Name = keyof typeof ratios | keyof typeof named;
const names = Object.keys({ ...ratios, ...named }) as Name[];
const listed = (title: string, some: Record<string, string>) =>
  `\n${title}\n${Object.entries(some)
    .map(([name, what]) => `  ${name.padEnd(12)} ${what}`)
    .join('\n')}`;

const command = new Command('npm run bench --')
  .description('Speeds as ratios to a named peer, and the pages of docs/ that are figures')
  .argument('[names...]', 'what to measure')
  .option('--json', 'figures as one line of JSON; words go to standard error', false)
  .option('--quick', 'a part of it, for a look', false)
  .option('--check', 'says what of a page comes out otherwise, and writes nothing', false)
  .addOption(
    new Option('--only <part>', 'one algorithm of quality; false-alarms or detection of watch')
      .default([])
      .argParser((part, before: string[]) => [...before, part]),
  )
  .option('--torch', 'PyTorch as a peer too: 6 GB are downloaded', false)
  .addHelpText('after', listed('Measured against a peer (all, where none is named):', ratios))
  .addHelpText('after', listed('Only where it is named:', named))
  .parse();
const values = command.opts<{ json: boolean; quick: boolean; check: boolean; only: string[]; torch: boolean }>();
const positionals = command.args;
const unknown = positionals.find((name) => !names.some((one) => one === name));
if (unknown !== undefined) {
  process.stderr.write(`There is no benchmark ${unknown}; there are ${names.join(', ')}\n`);
  process.exit(2);
}
const wanted = (name: keyof typeof ratios) => positionals.length === 0 || positionals.includes(name);
const say = (line: string) => void (values.json ? process.stderr : process.stdout).write(`${line}\n`);
const machine = { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, memoryGb: Math.round(totalmem() / 2 ** 30), node: process.versions.node };
say(`${machine.cores} cores (${machine.cpu}), ${machine.memoryGb} GiB, Node ${machine.node}\n`);

const serving = wanted('serving') ? await benchServing() : undefined;
if (serving !== undefined) say(`${printServingBench(serving)}\n`);
const slate = wanted('slate') ? await benchSlate() : undefined;
if (slate !== undefined) say(`${printSlateBench(slate)}\n`);
const loop = wanted('loop') ? await benchLoop() : undefined;
if (loop !== undefined) say(`${printLoopBench(loop)}\n`);
const ope = wanted('ope') ? await benchOpe() : undefined;
if (ope !== undefined) say(`${printOpeBench(ope)}\n`);
// scikit-learn comes along with MLflow, where that has been set up.
const python = findMlflow({ cache: cacheDirectory(process.env), env: process.env });
const ranking = wanted('ranking') ? await benchRanking({ python }) : undefined;
if (ranking !== undefined) say(`${printRankingBench(ranking)}\n`);
// With `--quick` a part of it, for a look.
const data = wanted('data')
  ? await benchData({ rows: values.quick ? 1_000_000 : 20_000_000, cache: cacheDirectory(process.env), env: process.env })
  : undefined;
if (data !== undefined) say(printDataBench(data));
const training = wanted('training')
  ? await benchTraining({ cache: cacheDirectory(process.env), env: process.env, quick: values.quick, withTorch: values.torch })
  : undefined;
if (training !== undefined) say(printTrainingBench(training));
const retrieval = wanted('retrieval') ? await benchRetrieval({ cache: cacheDirectory(process.env), env: process.env, quick: values.quick }) : undefined;
if (retrieval !== undefined) say(printRetrievalBench(retrieval));
const where = { cache: cacheDirectory(process.env), env: process.env };
const gpu = positionals.includes('gpu') ? await benchGpu({ quick: values.quick, torch: values.torch, ...where }) : undefined;
if (gpu !== undefined) say(printGpuBench(gpu));
/** Writers of pages: each says what of its page is stale. */
const pages = { quality: writeQuality, attribution: benchAttribution, 'root-cause': benchRootCause, drift: benchDrift, feedback: benchFeedback };
const own: PageRun = { machine: `${machine.cores} cores (${machine.cpu})`, check: values.check, quick: values.quick, only: values.only, say };
for (const [name, write] of Object.entries(pages)) {
  if (!positionals.includes(name)) continue;
  const stale = await write(own);
  say(stale.length > 0 ? `docs/${name}.md is stale: ${stale.join(', ')}` : `${name}: done`);
  if (stale.length > 0) process.exitCode = 1;
}
if (positionals.includes('watch')) benchWatch(own);
if (values.json) process.stdout.write(`${JSON.stringify({ machine, serving, slate, loop, ope, ranking, data, training, retrieval, gpu })}\n`);
