import { pictureOfReport } from '../../experiments/pictures/picture-of-report.ts';
import type { Interval } from '../../models/contracts/verdict.ts';
import type { ReportPart } from '../../models/contracts/report.ts';
import type { CardSource } from './card-source.ts';
import { codeSection, modelFacts, windowSection } from './describe-explanation.ts';
import type { Page, Section } from './page.ts';
import type { PartProfile } from './profile-window.ts';

/** Model card and data sheet on one page. */
export function modelCard(of: CardSource): Page {
  const { manifest, surface, report } = of;
  return {
    title: `${manifest.candidate} of ${surface}`,
    lead: `Model card and data sheet of ${of.runId}, put together from what was recorded and measured.`,
    sections: [
      modelSection(of),
      purposeSection(of),
      gatesSection(of),
      metricsSection(of),
      ...partsSection(of),
      logSection(of),
      { title: 'The measurements as a picture', svg: pictureOfReport(report) },
      limitsSection(of),
      ...dataSheet(of),
      codeSection(of),
    ],
  };
}

function modelSection(of: CardSource): Section {
  const { bytes, trainSeconds, parity, recipe, report } = of;
  return {
    title: 'Model',
    facts: [
      ...modelFacts(of),
      ['intent', report.intent],
      ['size', `${(bytes / 1e6).toFixed(3)} MB in ${Object.keys(of.manifest.files).length} files`],
      ['trained in', `${trainSeconds.toFixed(1)} s${recipe.device === undefined ? '' : `, on a ${recipe.device.toUpperCase()}`}`],
      [
        'graph against trainer',
        `${parity.passed ? 'the same answers' : 'OTHER ANSWERS'} to ${parity.requests} requests, the largest error of a score ${parity.error.toExponential(1)}`,
      ],
    ],
  };
}

function purposeSection({ charter, charterDigest }: CardSource): Section {
  const { title, owners, objective, reward, repeatPolicy, scope } = charter;
  const excluded = [...scope.excludeCategories, ...scope.excludeItems];
  const weights = Object.entries(reward.weights).map(([kind, weight]) => `${kind} ${weight}`);
  return {
    title: 'What it is for, by the charter',
    facts: [
      ['surface', title],
      ['owners', owners.join(', ')],
      ['objective', objective],
      ['reward', `${weights.join(', ')}; within ${span(reward.attributionMs)}, at most ${reward.capPerUnit} of a person`],
      ['bought items', repeatPolicy === 'allow' ? 'may be shown again' : 'are not shown again'],
      ['scope', `${scope.inStockOnly ? 'in stock only' : 'out of stock too'}${excluded.length === 0 ? '' : `, without ${excluded.join(', ')}`}`],
      ['charter', charterDigest],
    ],
  };
}

const span = (ms: number): string => (ms < 3_600_000 ? `${ms / 1000} s` : `${Number((ms / 3_600_000).toFixed(2))} h`);

function gatesSection({ report, reportDigest }: CardSource): Section {
  return {
    title: `Verdict: ${report.passed ? 'the gates let it pass' : 'REFUSED'}, ${report.verdict}`,
    note: `Evidence ${reportDigest}: ${report.reasons.join('; ')}`,
    table: { head: ['gate', '', 'why'], rows: report.gates.map(({ gate, passed, reason }) => [gate, passed ? 'passed' : 'REFUSES', reason]) },
  };
}

const shown = (one: Interval | undefined): string => (one === undefined ? '-' : `${one.value.toFixed(4)} [${one.low.toFixed(4)}, ${one.high.toFixed(4)}]`);

function metricsSection({ report }: CardSource): Section {
  const names = Object.keys(report.metrics).sort();
  return {
    title: 'Measured on what came after',
    note: `On ${report.users} users, ${report.champion === null ? 'without a champion to compare with' : `beside the champion ${report.champion.slice(0, 19)}…`}, with intervals by user.`,
    table: {
      head: ['metric', 'candidate', 'champion', 'lift'],
      rows: names.map((name) => [name, shown(report.metrics[name]), shown(report.championMetrics?.[name]), shown(report.lift?.[name])]),
    },
  };
}

/** The groups of users and items that the report looked at on their own. */
function partsSection({ report, charter }: CardSource): Section[] {
  const metric = charter.gates.primaryMetric;
  const row = (name: string, { users, tooFew, metrics, lift }: ReportPart): string[] => [
    name,
    String(users),
    tooFew === true ? 'too few users to tell' : shown(metrics[metric]),
    shown(lift?.[metric]),
  ];
  const rows = [
    ...Object.entries(report.slices ?? {}).map(([name, part]) => row(name, part)),
    ...(report.segments ?? []).map(({ by, value, ...part }) => row(`${by}: ${value}`, part)),
  ];
  return rows.length === 0 ? [] : [{ title: `For whom it works: ${metric} by group`, table: { head: ['group', 'users', 'candidate', 'lift'], rows } }];
}

function logSection({ report, log }: CardSource): Section {
  const title = 'What the log foretells';
  const { counterfactual, counterfactualAbsent, trackRecord } = report;
  if (counterfactual === null) return { title, note: counterfactualAbsent ?? 'Nothing: there is no estimate.' };
  const { slates, support, effectiveSampleSize, lift, verdict, reason } = counterfactual;
  return {
    title,
    facts: [
      ['verdict', `${verdict}: ${reason}`],
      ['lift', `${shown(lift)} reward a slate, on ${slates} of ${log.slates} slates`],
      ['support', `${(support * 100).toFixed(0)} % of what it would show, as much as ${effectiveSampleSize.toFixed(0)} slates of its own`],
      ...(trackRecord === undefined ? [] : [['track record', trackRecord.sentence] as const]),
    ],
  };
}

/** What was found wanting, by the measurements themselves. */
export function limitsOf({ report, data, erased, making, parity }: CardSource): string[] {
  return [
    ...report.gates.filter(({ passed }) => !passed).map(({ gate, reason }) => `${gate}: ${reason}`),
    ...(report.leak ?? []).filter(({ passed }) => !passed).map(({ check, reason }) => `${check}: ${reason}`),
    ...(report.segments ?? []).filter(({ tooFew }) => tooFew === true).map(({ by, value, users }) => `${by} ${value}: only ${users} users, too few to tell`),
    ...(report.counterfactual === null && report.counterfactualAbsent !== undefined ? [report.counterfactualAbsent] : []),
    ...(parity.passed ? [] : ['the graph does not answer as the trainer does']),
    ...erased.map(({ day, certificate }) => `data of ${day} were erased since, by ${certificate}`),
    ...(data.train.missing + data.test.missing > 0 ? [`${data.train.missing + data.test.missing} of its slices cannot be read any more`] : []),
    ...(making === null ? ['how it was made was not recorded'] : []),
  ];
}

function limitsSection(of: CardSource): Section {
  const limits = limitsOf(of);
  return limits.length === 0
    ? { title: 'Limits that were found', note: 'None of the gates, leak checks, groups and logs that were looked at objects.' }
    : { title: 'Limits that were found', table: { head: ['what'], rows: limits.map((one) => [one]) } };
}

const time = (ms: number | null): string => (ms === null ? '-' : new Date(ms).toISOString());

function dataSheet(of: CardSource): Section[] {
  const { window, data, charter } = of;
  const row = (name: string, read: (part: PartProfile) => string): string[] => [name, read(data.train), read(data.test)];
  const kinds = [...new Set([...data.train.byKind, ...data.test.byKind].map(({ kind }) => kind))];
  const { identity, consent, retention } = charter;
  const days = [...window.trainSlices.map((slice) => ({ ...slice, part: 'train' })), ...window.testSlices.map((slice) => ({ ...slice, part: 'test' }))];
  return [
    windowSection(of),
    {
      title: 'What is in it',
      table: {
        head: ['', 'train', 'test'],
        rows: [
          row('events', ({ events }) => String(events)),
          ...kinds.map((kind) => row(`  ${kind}`, ({ byKind }) => String(byKind.find((one) => one.kind === kind)?.events ?? 0))),
          row('users', ({ users }) => String(users)),
          row('sessions', ({ sessions }) => String(sessions)),
          row('items', ({ items }) => String(items)),
          row('first', ({ firstMs }) => time(firstMs)),
          row('last', ({ lastMs }) => time(lastMs)),
        ],
      },
    },
    {
      title: 'Whose data they are, by the charter',
      facts: [
        ['people', `merged by ${identity?.merge ?? 'session'}, pseudonyms ${identity?.pseudonyms ?? 'none'}`],
        ['consent', consent === undefined ? 'not asked for' : `where unknown: ${consent.whenUnknown}`],
        [
          'kept',
          retention === undefined
            ? 'for ever'
            : `${retention.days} days${Object.entries(retention.daysOf)
                .map(([kind, kept]) => `, ${kind} ${kept}`)
                .join('')}`,
        ],
      ],
    },
    {
      title: 'Slices',
      table: {
        head: ['day', 'part', 'source', 'rows', 'digest'],
        rows: days.map(({ day, part, source, rows, digest }) => [day, part, source ?? '', String(rows), digest]),
      },
    },
  ];
}
