import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { logReadingSuite } from './testing-log-reading.ts';
import { eventLogSuite } from './testing-log-suite.ts';

const start = async () => {
  const stateDir = await mkdtemp(join(tmpdir(), 'understudy-log-files-'));
  return { where: { stateDir, kafka: undefined }, stop: () => rm(stateDir, { recursive: true, force: true }) };
};
eventLogSuite('files', 40, start);
logReadingSuite('files', 40, start);
