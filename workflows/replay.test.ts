import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { beforeAll, describe, expect, it } from 'vitest';
import { failureConverterPath } from '../activities/payload-codec.ts';
import { workflowNames } from '../models/contracts/messages.ts';

const folder = new URL('./histories/', import.meta.url);
const names = readdirSync(folder).filter((name) => name.endsWith('.json'));
type History = { events: { workflowExecutionStartedEventAttributes?: { workflowType: { name: string } } }[] };
const read = (name: string) => JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as History;
const typeOf = (history: History) => history.events[0]?.workflowExecutionStartedEventAttributes?.workflowType.name;

beforeAll(() => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
});

const bundleOf = (path: string, converter: { failureConverterPath?: string } = {}) =>
  bundleWorkflowCode({ workflowsPath: fileURLToPath(new URL(path, import.meta.url)), logger: new DefaultLogger('ERROR'), ...converter });

describe('what runs since before this code', () => {
  let workflowBundle: Awaited<ReturnType<typeof bundleOf>>;
  beforeAll(async () => {
    workflowBundle = await bundleOf('./bundle.ts');
  });

  it('is recorded for every workflow', () => {
    expect(new Set(names.map((name) => typeOf(read(name))))).toEqual(new Set(Object.values(workflowNames)));
  });

  it.each(names)('goes on: %s', async (name) => {
    await Worker.runReplayHistory({ workflowBundle }, read(name));
  });

  it('goes on where there is a payload key since', async () => {
    const encrypting = await bundleOf('./bundle.ts', { failureConverterPath });
    for (const name of names) await Worker.runReplayHistory({ workflowBundle: encrypting, dataConverter: { failureConverterPath } }, read(name));
  });

  it('carries ids and digests, never data', () => {
    for (const name of names) {
      const sizes = [...readFileSync(new URL(name, folder), 'utf8').matchAll(/"data": "([^"]*)"/g)].map(([, data]) => (data ?? '').length * 0.75);
      expect(Math.max(...sizes), name).toBeLessThan(8_000);
    }
  });
});

it('a changed order of steps is caught', async () => {
  await expect(Worker.runReplayHistory({ workflowBundle: await bundleOf('./testing-changed-order.ts') }, read('retrain.json'))).rejects.toThrow(
    DeterminismViolationError,
  );
});
