import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { expect, inject, it, onTestFinished } from 'vitest';
import { runIngest } from '../cli/commands/ingest.ts';
import { openWorld, type World } from './testing.ts';

const servers = { temporalCli: inject('temporalCli'), mlflowUrl: inject('mlflowUrl'), seed: Number(process.env.UNDERSTUDY_TEST_SEED) };
const planted = 'forget-me-4711';

/** All histories that there are: as text, and what each payload holds behind it. */
async function historiesOf({ client }: World): Promise<{ text: string; failures: number }> {
  const texts: string[] = [];
  for await (const { workflowId, runId } of client.workflow.list()) {
    const text = historyToJSON(await client.workflow.getHandle(workflowId, runId).fetchHistory());
    const payloads = [...text.matchAll(/"data": ?"([^"]*)"/g)].map(([, data]) => Buffer.from(data ?? '', 'base64').toString('utf8'));
    texts.push(text, ...payloads);
  }
  const text = texts.join('\n');
  return { text, failures: [...text.matchAll(/_FAILED"/g)].length };
}

it.each(['no', 'a'] as const)('failures say nothing of a row in histories with %s payload key, and the command line what is wrong', async (which) => {
  const payloadKey = which === 'a' ? 'a key of at least thirty-two characters' : undefined;
  const world = await openWorld({ ...servers, serving: false, ...(payloadKey === undefined ? {} : { payloadKey }) });
  onTestFinished(() => world.close());
  const { config, command, stateDir } = world;
  const source = config.source ?? { file: '', mapping: { name: 'none', requires: [], sql: '' } };
  const prose = join(stateDir, '..', 'prose.csv');
  await writeFile(prose, `user,item,at\n${planted}\n${planted}\n`);
  await expect(runIngest(command, { stateDir, config, file: prose, endsAt: undefined })).rejects.toMatchObject({
    code: 'UND-FILE',
    message: expect.stringContaining('2 of 2 rows are not CSV of 3 columns'),
  });
  await appendFile(source.file, `${planted},i001,2026-02-11T11:00:00\n`);
  const cast = { ...source.mapping, sql: `SELECT raw_line, 'row-' || raw_line AS event_id, CAST("user"[2:] AS BIGINT) AS quantity FROM raw` };
  const converting = { ...config, source: { ...source, mapping: cast } };
  await expect(runIngest(command, { stateDir, config: converting, file: undefined, endsAt: undefined })).rejects.toMatchObject({
    code: 'UND-CHARTER',
    message: expect.stringContaining('Conversion Error: a value is no INT64'),
    details: { mistakes: [{ path: '/source/mapping/sql' }] },
  });

  const { text, failures } = await historiesOf(world);
  expect(failures).toBeGreaterThanOrEqual(4);
  expect(text).not.toContain(planted.slice(1));
  // With a key no message and no stack of ours is in clear; the code is.
  const clear = /are not CSV|Conversion Error|malformed-rows\.ts/;
  if (payloadKey === undefined) expect(text).toMatch(clear);
  else expect(text).not.toMatch(clear);
  expect(text).toContain('UND-CHARTER');
});
