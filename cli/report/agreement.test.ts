import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { canaryDecided } from '../../activities/registry/agreements.ts';
import { canaryDecision } from '../../models/contracts/canary.ts';
import { canaryRecord } from '../../models/contracts/canary-record.ts';
import { putDocument } from '../../stores/blobs.ts';
import { appendLedger } from '../../stores/ledger.ts';
import { agreementCommand } from './agreement.ts';
import { openSurface } from './testing.ts';

async function open() {
  const { folder, state, run } = await openSurface(agreementCommand);
  const fixture = await readFile(new URL('../../models/contracts/fixtures/v1/canary-decision.json', import.meta.url), 'utf8');
  const decision = canaryDecision.parse(JSON.parse(fixture));
  const decide = async (releaseId: string, foretold: number | null) => {
    const lift = (value: number) => ({ value, low: value - 0.1, high: value + 0.1 });
    const record = canaryRecord.parse({
      kind: 'canary-record',
      surface: 'home',
      releaseId,
      decision,
      points: [{ atMs: 1, share: 0.05, champion: 20, challenger: 1, lift: decision.lift }],
      agreement:
        foretold === null
          ? null
          : {
              kind: 'agreement',
              surface: 'home',
              releaseId,
              atMs: 1,
              evidence: `sha256:${'0'.repeat(64)}`,
              predicted: { verdict: 'better', lift: lift(foretold) },
              observed: { verdict: 'better', lift: lift(0.3) },
            },
    });
    await appendLedger(state.generations, {
      operationId: `${releaseId}/${canaryDecided}`,
      atMs: 1,
      surface: 'home',
      action: canaryDecided,
      by: 'a run',
      releaseId,
      detail: { outcome: 'promoted', record: await putDocument(state.blobs, record) },
    });
  };
  return { folder, run: (...args: string[]) => run('home', ...args), decide };
}

it('lists what was foretold and what was seen, sums it up, and draws one canary', async () => {
  const { folder, run, decide } = await open();
  expect(await run()).toContain('home has had no canary yet');
  await decide('r1', 0.25);
  await decide('r2', null);
  await decide('r3', 0.6);
  const text = await run('--release', 'r3', '--svg', 'canary.svg');
  expect(text).toMatch(/r3 +promoted +\+60 % \[\+50 %, \+70 %\], better +\+30 % \[\+20 %, \+40 %\], better/);
  expect(text).toContain('in 2 canaries of this surface so far, what was seen lay within what the log foretold 1 times; of 2 verdicts 2 came true');
  expect(await readFile(join(folder, 'canary.svg'), 'utf8')).toMatch(/^<svg .*canary of r3/s);
  const document = JSON.parse(await run('--json'));
  expect(document).toMatchObject({ surface: 'home', trackRecord: { canaries: 2, compatible: 1, meanGap: expect.closeTo(-0.125, 10) } });
  expect(document.canaries.map((one: { record: { releaseId: string } }) => one.record.releaseId)).toEqual(['r1', 'r2', 'r3']);
});

it('says what is not there, with a code', async () => {
  const { run } = await open();
  await expect(run('--release', 'r9')).rejects.toMatchObject({ code: 'UND-NOT-FOUND', message: expect.stringContaining('understudy agreement home') });
  await expect(run('--svg', 'x.svg')).rejects.toMatchObject({ code: 'UND-NOT-FOUND' });
});
