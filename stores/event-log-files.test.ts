import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventLogSuite } from './testing-log-suite.ts';

eventLogSuite('files', 40, async () => {
  const stateDir = await mkdtemp(join(tmpdir(), 'understudy-log-files-'));
  return { where: { stateDir, kafka: undefined }, stop: () => rm(stateDir, { recursive: true, force: true }) };
});
