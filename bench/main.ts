import { cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
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

/**
 * `npm run bench [-- serving|slate|loop|ope|ranking|data|training|retrieval] [--json] [--quick] [--torch]`: ratios against a named peer in the same run, medians of several rounds.
 * `npm run bench -- quality [--check] [--only NAME]...`: the algorithms against each other, as docs/quality.md; only where it is named, for it writes.
 * `npm run bench -- gpu [--quick] [--torch]`: training on this machine's GPU beside the CPU, and with `--torch` (6 GB) PyTorch; only where it is named, for most have none.
 * `npm run bench -- attribution [--check] [--quick]`: causes found by ours and by published methods, as docs/attribution.md; only where it is named.
 * `npm run bench -- root-cause [--check] [--quick]`: how often root-cause analysis is right, as docs/root-cause.md; only where it is named.
 * `npm run bench -- watch [--quick] [--only false-alarms|detection]`: false alarms of quiet surfaces and time to detection of planted faults, as docs/watch.md; only where it is named.
 * `npm run bench -- drift [--check] [--quick]`: false alarms and power of what tells drift, as docs/drift.md; only where it is named.
 * `npm run bench -- feedback [--check] [--quick]`: what a feedback loop does and what mends it, as docs/feedback.md; only where it is named.
 */
const { values, positionals } = parseArgs({
  args: process.argv.slice(2),
  options: {
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
    // 6 GB are not downloaded unasked.
    torch: { type: 'boolean', default: false },
  },
  allowPositionals: true,
});
const names = [
  'serving',
  'slate',
  'loop',
  'ope',
  'ranking',
  'data',
  'training',
  'retrieval',
  'gpu',
  'quality',
  'attribution',
  'root-cause',
  'watch',
  'drift',
  'feedback',
] as const;
const unknown = positionals.find((name) => !names.some((one) => one === name));
if (unknown !== undefined) {
  process.stderr.write(`There is no benchmark ${unknown}; there are ${names.join(', ')}\n`);
  process.exit(2);
}
const wanted = (name: (typeof names)[number]) => positionals.length === 0 || positionals.includes(name);
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
if (positionals.includes('quality')) {
  const stale = await writeQuality({ machine: `${machine.cores} cores (${machine.cpu})`, check: values.check, only: values.only, say });
  say(
    stale.length > 0
      ? `docs/quality.md is stale: ${stale.join(', ')}`
      : values.check
        ? 'docs/quality.md is what the code comes to'
        : 'docs/quality.md is written',
  );
  if (stale.length > 0) process.exitCode = 1;
}
if (positionals.includes('attribution')) {
  const stale = benchAttribution({ machine: `${machine.cores} cores (${machine.cpu})`, check: values.check, quick: values.quick, say });
  say(stale.length > 0 ? `docs/attribution.md is stale: ${stale.join(', ')}` : 'attribution: done');
  if (stale.length > 0) process.exitCode = 1;
}
if (positionals.includes('root-cause')) {
  const stale = benchRootCause({ machine: `${machine.cores} cores (${machine.cpu})`, check: values.check, quick: values.quick, say });
  say(stale.length > 0 ? `docs/root-cause.md is stale: ${stale.join(', ')}` : 'root-cause: done');
  if (stale.length > 0) process.exitCode = 1;
}
if (positionals.includes('watch')) benchWatch({ machine: `${machine.cores} cores (${machine.cpu})`, quick: values.quick, only: values.only, say });
if (positionals.includes('drift')) {
  const stale = await benchDrift({ machine: `${machine.cores} cores (${machine.cpu})`, check: values.check, quick: values.quick, say });
  say(stale.length > 0 ? `docs/drift.md is stale: ${stale.join(', ')}` : 'drift: done');
  if (stale.length > 0) process.exitCode = 1;
}
if (positionals.includes('feedback')) {
  const stale = await benchFeedback({ machine: `${machine.cores} cores (${machine.cpu})`, check: values.check, quick: values.quick, say });
  say(stale.length > 0 ? `docs/feedback.md is stale: ${stale.join(', ')}` : 'feedback: done');
  if (stale.length > 0) process.exitCode = 1;
}
if (values.json) process.stdout.write(`${JSON.stringify({ machine, serving, slate, loop, ope, ranking, data, training, retrieval, gpu })}\n`);
