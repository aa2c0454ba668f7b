import { readFileSync } from 'node:fs';
import { parser } from '@prometheus-io/lezer-promql';
import { describe, expect, it } from 'vitest';
import { rungs } from '../models/contracts/slate.ts';
import { createMetrics } from './metrics.ts';
import { routeList } from './routes/table.ts';
import { stages } from './stage-times.ts';

/*
 * What docker/ asks Prometheus for is what this server has: every name, every label, every value of a label that is one of few. `promtool check rules` says that the rules
 * are rules, and docker/prometheus-rules.test.yml what they do; neither knows the server.
 */
const read = (name: string) => readFileSync(new URL(`../docker/${name}`, import.meta.url), 'utf8');
const rules = read('prometheus-rules.yml');
const recorded = [...rules.matchAll(/- record: (\S+)/g)].map(([, name = '']) => name);
const ofRules = [...rules.matchAll(/^\s+expr: (.+)$/gm)].map(([, expression = '']) => expression);
type Panel = { title: string; targets: { expr: string }[] };
const ofDashboard = (JSON.parse(read('grafana-dashboard.json')) as { panels: Panel[] }).panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));

const few: Record<string, readonly string[]> = {
  route: routeList.map(({ path }) => path),
  rung: rungs,
  stage: stages,
  status: ['accepted', 'duplicate', 'quarantined', 'withheld', 'rejected'],
  job: ['understudy'],
};

type Selector = { name: string; labels: string[]; values: [label: string, value: string][] };
type Read = { mistakes: string[]; selectors: Selector[]; grouped: string[] };

/** What an expression names. */
function readExpression(expression: string): Read {
  const found: Read = { mistakes: [], selectors: [], grouped: [] };
  const textOf = ({ from, to }: { from: number; to: number }) => expression.slice(from, to);
  parser.parse(expression).iterate({
    enter(node) {
      if (node.type.isError) found.mistakes.push(`at ${node.from}: ${textOf(node)}`);
      if (node.name === 'VectorSelector') {
        const name = node.node.getChild('Identifier');
        found.selectors.push({ name: name === null ? '' : textOf(name), labels: [], values: [] });
      }
      if (node.name === 'UnquotedLabelMatcher') {
        const [label = '', value = ''] = textOf(node).split(/=~|!~|!=|=/);
        const selector = found.selectors.at(-1);
        selector?.labels.push(label.trim());
        if (!/[=!]~/.test(textOf(node))) selector?.values.push([label.trim(), value.trim().slice(1, -1)]);
      }
      if (node.name === 'GroupingLabels')
        found.grouped.push(
          ...textOf(node)
            .slice(1, -1)
            .split(',')
            .map((one) => one.trim())
            .filter((one) => one !== ''),
        );
    },
  });
  return found;
}

async function exported(): Promise<Map<string, readonly string[]>> {
  const families = await createMetrics().registry.getMetricsAsArray();
  const labels = new Map<string, readonly string[]>(recorded.map((name) => [name, ['surface', 'stage']]));
  // Prometheus itself has this one of everything that it scrapes.
  labels.set('up', ['job', 'instance']);
  for (const family of families) {
    const { name, labelNames = [], type } = family as unknown as { name: string; labelNames?: string[]; type?: string };
    const own = [...labelNames, 'instance', 'job'];
    const isHistogram = type === 'histogram' || 'buckets' in family;
    labels.set(name, own);
    if (isHistogram) for (const part of ['_bucket', '_sum', '_count']) labels.set(name + part, [...own, 'le']);
  }
  return labels;
}

describe.each([
  ['prometheus-rules.yml', ofRules, 12],
  ['grafana-dashboard.json', ofDashboard, 15],
] as const)('%s', (_file, expressions, atLeast) => {
  it('asks for what the server exports, by labels that it has', async () => {
    expect(expressions.length).toBeGreaterThanOrEqual(atLeast);
    const labelsOf = await exported();
    for (const expression of expressions) {
      const { mistakes, selectors, grouped } = readExpression(expression);
      expect(mistakes, expression).toEqual([]);
      expect(selectors.length, expression).toBeGreaterThan(0);
      const known = selectors.flatMap(({ name, labels, values }) => {
        const own = labelsOf.get(name);
        expect(own, `${name} of ${expression}`).toBeDefined();
        for (const label of labels) expect(own, `${label} of ${name} in ${expression}`).toContain(label);
        for (const [label, value] of values) if (few[label] !== undefined) expect(few[label], expression).toContain(value);
        return own ?? [];
      });
      for (const label of grouped) expect(known, `${label} in ${expression}`).toContain(label);
    }
  });
});

it('sees what is wrong', () => {
  expect(readExpression('sum by (surface) (rate(nothing{rung!="model",route="x"}[5m])').mistakes).not.toEqual([]);
  expect(readExpression('sum by (surface) (rate(nothing{rung!="model",route="x"}[5m]))')).toEqual({
    mistakes: [],
    selectors: [
      {
        name: 'nothing',
        labels: ['rung', 'route'],
        values: [
          ['rung', 'model'],
          ['route', 'x'],
        ],
      },
    ],
    grouped: ['surface'],
  });
});
