import { rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { answerOfOrder, fileOrder, waitingOrders } from '../../stores/orders.ts';
import { benchContext, testCharter, withBench } from '../events/testing.ts';
import { registerCharter } from '../registry/charters.ts';
import { watchOrders } from './watch-orders.ts';

it('an order that no worker could do within the hour is not done later; one that fails for now is tried again, and holds up no other', () =>
  withBench(async ({ folder: root }) => {
    const clock = { nowMs: Date.now() };
    const begun: string[] = [];
    let isDown = true;
    const said: string[] = [];
    const context = benchContext(root, {
      log: (line) => void said.push(line),
      now: () => clock.nowMs,
      begin: async ({ workflowId }) => {
        begun.push(workflowId);
        if (isDown) throw new UnderstudyError('UND-TEMPORAL', 'it is away');
        return { workflowId, runId: 'r' };
      },
    });
    await registerCharter(context.state, testCharter(), 1);
    const file = (order: Parameters<typeof fileOrder>[1]['order'], filedAtMs = clock.nowMs) => fileOrder(root, { order, nowMs: filedAtMs });
    const late = await file({ do: 'audit', surface: 'home', by: 'sre' }, clock.nowMs - 3_600_001);
    const waits = await file({ do: 'watch', surface: 'home', by: 'sre' });
    const other = await file({ do: 'explain', requestId: 'never-was' });
    // One that somebody has written by hand is let lie, said once in a while, and holds up none.
    const broken = `o-${'f'.repeat(32)}`;
    await writeFile(join(root, 'orders', `${broken}.json`), '{"kind":"order"');
    const watching = watchOrders(context);
    try {
      await expect.poll(() => waitingOrders(root), { timeout: 20_000 }).toSatisfy((ids: string[]) => ids.toSorted().join() === [waits, broken].sort().join());
      await rm(join(root, 'orders', `${broken}.json`));
      expect(said.filter((line) => line.includes(broken))).toHaveLength(1);
      expect(begun).toEqual(['watch/home']);
      expect(await answerOfOrder(root, late)).toMatchObject({ state: 'refused', problem: { code: 'UND-TIMEOUT' } });
      expect(await answerOfOrder(root, other)).toMatchObject({ state: 'refused', problem: { code: 'UND-NOT-FOUND' } });
      isDown = false;
      clock.nowMs += 5_001;
      await expect.poll(() => waitingOrders(root), { timeout: 20_000 }).toEqual([]);
      expect(begun).toEqual(['watch/home', 'watch/home']);
      expect(await answerOfOrder(root, waits)).toMatchObject({ state: 'done', result: { workflowId: 'watch/home' } });
      // Answers go: some hold what people were shown.
      const old = (clock.nowMs - 1_000_000) / 1_000;
      await utimes(join(root, 'orders', `${waits}.done.json`), old, old);
      await expect.poll(() => answerOfOrder(root, waits), { timeout: 20_000 }).toBeUndefined();
    } finally {
      await watching.close();
    }
  }));

it('the same order with the same operation is one; a thousand that wait are enough', () =>
  withBench(async ({ folder: root }) => {
    const audit = (by: string) => ({ do: 'audit' as const, surface: 'home', by });
    const file = (by: string, operationId?: string) => fileOrder(root, { order: audit(by), operationId, nowMs: 1 });
    const first = await file('ann', 'a');
    expect([await file('ann', 'a'), await file('ben', 'a'), await file('ann', 'b'), await file('ann')].filter((id) => id === first)).toEqual([first]);
    for (let number = (await waitingOrders(root)).length; number < 1_000; number += 1) await file('ann', `n${number}`);
    await expect(file('ann')).rejects.toMatchObject({ code: 'UND-OVERLOADED' });
    expect(await file('ann', 'a')).toBe(first);
  }));
