import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { trackRecordOf } from '../../experiments/counterfactual/agreement.ts';
import { base, candidate, estimate, makeLog } from '../../experiments/counterfactual/testing.ts';
import { report as reportSchema } from '../../models/contracts/report.ts';
import { describeCounterfactual } from './describe-counterfactual.ts';

const fixture = reportSchema.parse(JSON.parse(readFileSync(new URL('../../models/contracts/fixtures/v1/report.json', import.meta.url), 'utf8')));

it('shows the estimates, what widens them, each diagnostic and check, the indicators, exposure, and the track record', () => {
  const log = makeLog({ slates: 6000, seed: 3, worth: (item) => (candidate.includes(item) ? 0.2 : 0.05) }).map((slate) => ({
    ...slate,
    kpis: { click: slate.rewards },
  }));
  const counterfactual = estimate(log, { voidedBy: { 'a draw that is counted already': 3 }, group: (item) => (base.includes(item) ? 'old' : 'rest') });
  const trackRecord = trackRecordOf([
    {
      predicted: { verdict: 'better', lift: { value: 0.2, low: 0.1, high: 0.3 } },
      observed: { verdict: 'better', lift: { value: 0.1, low: 0.05, high: 0.15 } },
    },
    {
      predicted: { verdict: 'not-enough-evidence', lift: { value: 0, low: -0.1, high: 0.1 } },
      observed: { verdict: 'worse', lift: { value: -0.4, low: -0.6, high: -0.2 } },
    },
  ]);
  const report = reportSchema.parse({ ...fixture, counterfactual, trackRecord });
  const text = describeCounterfactual(report).join('\n\n');
  for (const part of [
    'On the log: better',
    '3: a draw that is counted already',
    'not identified',
    'slot-ips',
    'effective-rewarded-sample-size',
    'Examined by place',
  ])
    expect(text).toContain(part);
  expect(text).toMatch(/lift over the champion \(empirical-likelihood\) +\+0\.\d{4} \[\+0\.\d{4}, \+0\.\d{4}\]/);
  expect(text).toMatch(/rest +25 +\d+ % +\d+ %/);
  expect(text).toContain(
    'in 2 canaries of this surface so far, what was seen lay within what the log foretold 1 times; of 1 verdicts 1 came true; seen minus foretold was −25.0 %',
  );
});

it('says why there is nothing', () => {
  const report = reportSchema.parse({
    ...fixture,
    counterfactual: null,
    counterfactualAbsent: 'none of 20 slates can tell (20: what it earns is not known yet)',
  });
  expect(describeCounterfactual(report)).toEqual(['On the log: not enough evidence, since none of 20 slates can tell (20: what it earns is not known yet)']);
});
