import { expect, it } from 'vitest';
import { signals, type SignalName } from '../../models/contracts/signal.ts';
import type { SlateRecord } from '../../models/contracts/slate.ts';
import { HourTally } from './hour-tally.ts';

const all = new Set(Object.keys(signals) as SignalName[]);
const slate = (over: Partial<SlateRecord>) =>
  ({ requestId: 'r', unit: 'u:1', rung: 'model', history: [], items: ['a'], latencyMs: 1, variant: 'champion', enrolment: null, ...over }) as SlateRecord;
const measured = (tally: HourTally, signal: SignalName) => tally.measures(all).filter((one) => one.signal === signal);

it('tells a canary whose users are not shared out as it says, each of them once', () => {
  const of = (challengers: number) => {
    const tally = new HourTally();
    for (let user = 0; user < 200; user += 1) {
      const variant = user < challengers ? 'challenger' : 'champion';
      const enrolment = { share: 0.05, rivalShares: [0.05], bucket: 0, atMs: 1, generation: 1 };
      for (const again of [1, 2])
        tally.addSlate(slate({ requestId: `${user} ${again}`, unit: `u:${user}`, variant, enrolment }), { heard: false, fresh: true });
    }
    return measured(tally, 'sample-ratio')[0];
  };
  // 20 of 200 are expected, with a variance of 18.
  expect(of(20)?.total).toBeCloseTo(0, 9);
  expect(of(60)?.total).toBeCloseTo(40 / Math.sqrt(18), 9);
});

it('keeps to the largest clients and segments, however many there are', () => {
  const tally = new HourTally();
  for (let client = 0; client < 40; client += 1)
    for (let time = 0; time <= client; time += 1)
      tally.addSlate(slate({ requestId: `${client} ${time}`, context: { device: `d${client}` }, segment: `s${client}` }), { heard: true, fresh: false });
  expect(measured(tally, 'heard').map(({ part }) => part)).toEqual(['d32', 'd33', 'd34', 'd35', 'd36', 'd37', 'd38', 'd39']);
  expect(measured(tally, 'reward').map(({ of }) => of)).toEqual([33, 34, 35, 36, 37, 38, 39, 40]);
});

it('says nothing of percentiles of a few, and of a kind that nobody sent that there was none', () => {
  const tally = new HourTally();
  tally.addSlate(slate({}), { heard: false, fresh: false });
  expect(measured(tally, 'p99')).toEqual([]);
  expect(measured(tally, 'events').map(({ total }) => total)).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0]);
});
