import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, globSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { StudyJob } from './study-worker.ts';

type Done = { job: StudyJob; result: unknown; cpuSeconds: number };
type Input = {
  root: string;
  jobs: readonly StudyJob[];
  workers: number;
  /** Of those before, too: what an interrupted study has left. */
  onDone: (done: Done) => void;
};

/**
 * Does the jobs in threads and gives back their results in the order of the jobs, whichever is done first. Each result is kept beside the state directory
 * until all are there, so that a study that is interrupted goes on where it was; those of other code are not looked at.
 */
export async function runJobs({ root, jobs, workers, onDone }: Input): Promise<unknown[]> {
  const path = join(root, '.understudy', 'study', `${digestOfCode(root)}.jsonl`);
  const nameOf = ({ cell, seed, from, to }: StudyJob) => `${seed}/${cell}/${from}-${to}`;
  const kept = new Map(readDone(path).map((done) => [nameOf(done.job), done]));
  const results = new Map<string, unknown>();
  const take = (done: Done) => {
    results.set(nameOf(done.job), done.result);
    onDone(done);
  };
  const left = jobs.filter((job) => {
    const done = kept.get(nameOf(job));
    if (done !== undefined) take(done);
    return done === undefined;
  });
  mkdirSync(dirname(path), { recursive: true });
  const next = left.values();
  const threads = Array.from({ length: Math.min(workers, left.length) }, async () => {
    const thread = new Worker(new URL('./study-worker.ts', import.meta.url));
    try {
      for (const job of next) {
        const done = { job, ...(await ask(thread, job)) };
        appendFileSync(path, `${JSON.stringify(done)}\n`);
        take(done);
      }
    } finally {
      await thread.terminate();
    }
  });
  await Promise.all(threads);
  rmSync(path, { force: true });
  return jobs.map((job) => results.get(nameOf(job)));
}

function ask(thread: Worker, job: StudyJob): Promise<Omit<Done, 'job'>> {
  return new Promise((resolve, reject) => {
    thread.once('error', reject);
    thread.once('message', (answer: Omit<Done, 'job'> | { error: string }) => {
      thread.off('error', reject);
      if ('error' in answer) reject(new Error(`${job.cell}: ${answer.error}`));
      else resolve(answer);
    });
    thread.postMessage(job);
  });
}

function readDone(path: string): Done[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .flatMap((line) => {
      // The last line may have been cut short.
      try {
        return [JSON.parse(line) as Done];
      } catch {
        return [];
      }
    });
}

/** What a result depends on. */
function digestOfCode(root: string): string {
  const hash = createHash('sha256');
  const paths = globSync(['experiments/**/*.ts', 'models/random.ts', 'models/slate/*.ts', 'models/contracts/*.ts', 'bench/study*.ts'], { cwd: root });
  for (const path of paths.filter((one) => !one.endsWith('.test.ts')).sort()) hash.update(`${path}\0`).update(readFileSync(join(root, path)));
  return hash.digest('hex').slice(0, 16);
}
