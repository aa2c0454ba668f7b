import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, inject, it, onTestFinished } from 'vitest';

const entry = fileURLToPath(new URL('../../cli/understudy.ts', import.meta.url));

type Ended = {
  code: number | null;
  document: {
    afterwards: { what: string; outcome: string; why: string }[];
    acts: { candidate: string; outcome: string; expected: string; evidence: string; seconds: number }[];
  };
  stderr: string;
};

/** `npm start -- --once --yes --json` behind the set-up, as a process of its own. */
async function start(stateDir: string): Promise<Ended> {
  const env = { ...process.env, UNDERSTUDY_TEMPORAL_CLI: inject('temporalCli'), UNDERSTUDY_MLFLOW_PYTHON: inject('mlflowPython') };
  const child = spawn(process.execPath, [entry, 'up', '--once', '--yes', '--json', '--state', stateDir], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill());
  const [out, err]: [string[], string[]] = [[], []];
  child.stdout.setEncoding('utf8').on('data', (text: string) => void out.push(text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => void err.push(text));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, document: JSON.parse(out.join('') || '{}') as Ended['document'], stderr: err.join('') };
}

it('the example: popularity goes up, ials is promoted, a gate refuses the broken one, the canary rolls back the worse one; a report, an alert, its cause and an audit come behind; a second start knows', {
  timeout: 600_000,
}, async () => {
  const stateDir = await mkdtemp(join(tmpdir(), 'understudy-story-'));
  onTestFinished(() => rm(stateDir, { recursive: true, force: true, maxRetries: 5 }));
  const first = await start(stateDir);
  expect(first.code, first.stderr.slice(-2_000)).toBe(0);
  expect(first.document.acts.map(({ candidate, outcome }) => [candidate, outcome])).toEqual([
    ['popularity', 'promoted'],
    ['ials', 'promoted'],
    ['off-by-one', 'refused'],
    ['buy-again', 'rolled-back'],
  ]);
  const came = ({ document }: Ended) => document.afterwards.map(({ what, outcome }) => [what, outcome]);
  const alert = expect.stringMatching(/^reward-.*down-\d{10}$/);
  expect(came(first)).toEqual([
    ['report', 'rejected'],
    ['alert', alert],
    ['root-cause', 'recovered'],
    ['audit', 'audited'],
  ]);
  expect(first.stderr).toMatch(/item \S+ is in no slate any more/);
  expect(first.stderr).toMatch(/suspects: new-artifact \(model, [\d.]+\)[\s\S]*mend: rollback/);
  expect(first.stderr).toContain('541909 rows: 531170 accepted, 5480 quarantined, 5259 duplicates');
  expect(first.stderr).toContain('demo (ml-lead, unauthenticated) approved');

  const second = await start(stateDir);
  expect(second.code, second.stderr.slice(-2_000)).toBe(0);
  expect(second.document.acts.map(({ candidate, outcome, evidence, seconds }) => [candidate, outcome, evidence, seconds])).toEqual(
    first.document.acts.map(({ candidate, outcome, evidence }) => [candidate, outcome, evidence, 0]),
  );
  expect(came(second)).toEqual(came(first));
});
