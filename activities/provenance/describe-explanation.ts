import type { Decision, Explanation } from './explain-request.ts';
import type { Made } from './made-of.ts';
import type { Page, Section } from './page.ts';

/** The explanation, read from the slate back. */
export function describeExplanation(of: Explanation): Page {
  const { requestId, surface, atMs, slate } = of;
  return {
    title: `Why ${requestId} was shown what it was`,
    lead: `A slate of ${surface}, sent on ${day(atMs)} by the replica ${slate.replica}; by what was recorded then.`,
    sections: [slateSection(of), itemsSection(of), rulesSection(of), ...modelSections(of), ...releaseSection(of), ledgerSection(of)],
  };
}

const day = (atMs: number): string => new Date(atMs).toISOString();
const percent = (share: number): string => `${(share * 100).toFixed(2)} %`;

function slateSection({ slate, deployment, overrides }: Explanation): Section {
  const { rung, reason, variant, share, stage, segment, enrolment, history, excluded, context } = slate;
  const told = [context?.country, context?.device, segment].filter((one) => one !== undefined).join(', ');
  return {
    title: 'The answer',
    facts: [
      ['rung', `${rung}${reason === undefined ? '' : `: ${reason}`}`],
      [
        'variant',
        `${variant}${share === undefined ? '' : `; ${percent(share)} of new visitors were the challenger's then`}${stage === null ? '' : `, stage ${stage}`}`,
      ],
      ...(enrolment === null ? [] : [['enrolled', `${day(enrolment.atMs)}, generation ${enrolment.generation}`] as const]),
      ['history', `${history.length} items were read, ${excluded.length} were not to be shown${told === '' ? '' : `; ${told}`}`],
      [
        'deployment',
        `generation ${deployment.generation} of ${day(deployment.createdAtMs)}, by ${deployment.author.name}: ${deployment.author.reason}${deployment.paused ? '; PAUSED' : ''}`,
      ],
      ...overrides.slice(0, 3).map((one) => ['override', sentence(one)] as const),
    ],
  };
}

function itemsSection({ shown }: Explanation): Section {
  if (shown.length === 0) return { title: 'Items', note: 'The slate was empty.' };
  return {
    title: 'Items',
    table: {
      head: ['position', 'item', 'score', 'propensity', ''],
      rows: shown.map(({ position, itemId, score, propensity, isExplored }) => [
        String(position),
        itemId,
        score === null ? '-' : score.toPrecision(5),
        propensity === null ? '-' : propensity.toPrecision(3),
        isExplored ? 'explored: drawn by chance' : '',
      ]),
    },
  };
}

function rulesSection({ rules, slate }: Explanation): Section {
  const { scope, diversity } = rules;
  const excluded = [...scope.excludeCategories.map((one) => `category ${one}`), ...scope.excludeItems.map((one) => `item ${one}`)];
  return {
    title: 'Rules in force',
    facts: [
      ['charter', `${rules.charter}${rules.registered === null ? '' : `, ${sentence(rules.registered)}`}`],
      ['catalog', rules.catalog],
      [
        'scope',
        [
          scope.inStockOnly ? 'in stock only' : 'out of stock too',
          ...(scope.itemIdPattern === undefined ? [] : [`ids like ${scope.itemIdPattern}`]),
          ...excluded,
        ].join(', '),
      ],
      ['diversity', `weight ${diversity.weight} over the best ${diversity.depth}`],
      ...(slate.propensityVoid === undefined ? [] : [['propensities', `void: ${slate.propensityVoid}`] as const]),
      ['digest', rules.digest],
    ],
  };
}

function modelSections({ model }: Explanation): Section[] {
  if (model === null) return [{ title: 'The model', note: 'No model answered: what was shown comes from a rung below it.' }];
  const { run, report } = model;
  return [
    {
      title: 'The model',
      facts: [
        ...modelFacts(model),
        ['run', run === null ? 'not recorded' : `${run.runId}, registered as version ${run.modelVersion ?? '-'}`],
        [
          'evidence',
          report === null
            ? 'not recorded'
            : `${report.digest}: ${report.passed ? 'the gates let it pass' : 'REFUSED'}, ${report.verdict}; ${report.reasons.join('; ')}`,
        ],
      ],
    },
    windowSection(model),
    codeSection(model),
  ];
}

/** What it is, by its manifest. */
export function modelFacts({ artifact, manifest }: Made): (readonly [string, string])[] {
  return [
    ['artifact', artifact],
    ['candidate', `${manifest.candidate} (${manifest.algorithm}), ${manifest.itemCount} items, the last ${manifest.maxHistory} of a history are read`],
    ['parameters', JSON.stringify(manifest.params)],
    ['recipe', `${manifest.recipe}, seed ${manifest.seed}`],
    ...(manifest.embeddings === undefined ? [] : [['embeddings', manifest.embeddings] as const]),
  ];
}

export function windowSection({ window, manifest, erased }: Made): Section {
  const { train, test, rows, trainSlices, testSlices, gapDays } = window;
  return {
    title: 'The data it was trained on',
    facts: [
      ['window', manifest.window],
      ['train', `${train.from} to ${train.to}, ${rows.train} rows in ${trainSlices.length} slices`],
      ['test', `${test.from} to ${test.to}, ${rows.test} rows in ${testSlices.length} slices, ${gapDays} days behind`],
      ['catalog', window.catalog],
      ['rules of data', window.rulesDigest],
      ...erased.map(({ day: of, digest, certificate }) => ['erased since', `${of} (${digest.slice(0, 19)}…), by ${certificate}`] as const),
    ],
  };
}

export function codeSection({ making }: Made): Section {
  const title = 'The code it was trained by';
  if (making === null) return { title, note: 'This run is from before that was recorded.' };
  const { code, libraries, host } = making;
  return {
    title,
    facts: [
      ['commit', code.commit ?? 'not a checkout of its own'],
      ['sources', code.files],
      [
        'libraries',
        Object.entries(libraries)
          .map(([name, version]) => `${name} ${version}`)
          .join(', '),
      ],
      ['machine', `${host.cpu}, ${host.cores} cores, ${host.platform}/${host.architecture}${host.gpu === undefined ? '' : `, ${host.gpu}`}`],
    ],
  };
}

function releaseSection({ release, model }: Explanation): Section[] {
  if (release === null) return [];
  const { releaseId, isBootstrap, approvals, decisions } = release;
  const facts: (readonly [string, string])[] = [['release', releaseId ?? 'none is recorded']];
  if (isBootstrap) facts.push(['approved by', 'nobody: nothing was live, and the bootstrap rule lets its candidate come first']);
  for (const one of approvals) facts.push(['approved by', `${sentence(one)}${one.evidence === null ? '' : `; seen was ${one.evidence}`}`]);
  if (approvals.length === 0 && !isBootstrap) facts.push(['approved by', 'no approval is recorded']);
  const stale = model?.report === null || approvals.some(({ evidence }) => evidence !== null && evidence !== model?.report?.digest);
  return [
    {
      title: 'The release',
      facts,
      ...(stale && approvals.length > 0
        ? { note: 'The evidence that was voted on is another document than the run has now: it was made again, or is that of several challengers.' }
        : {}),
      table: { head: ['record', 'when', 'what', 'by', 'why'], rows: decisions.map((one) => [String(one.record), day(one.atMs), one.action, one.by, one.why]) },
    },
  ];
}

const sentence = ({ record, by, atMs, why, action }: Decision): string =>
  `${by} (${action}, record ${record} of the ledger, ${day(atMs)})${why === '' ? '' : `: ${why}`}`;

function ledgerSection({ ledger, proofs, surface }: Explanation): Section {
  const { ok, fault, records, signedFrom, keys } = ledger;
  const key = keys.at(-1)?.key;
  return {
    title: 'Whether the ledger can be believed',
    facts: [
      [
        'chain',
        ok ? `${records} records, each follows the one before it` : `NOT AS IT WAS WRITTEN: record ${fault?.record ?? '-'}, ${fault?.what}: ${fault?.why}`,
      ],
      ['signed', signedFrom === null ? 'no' : `from record ${signedFrom} on; now by ${key}`],
      [
        'proofs',
        proofs.length === 0
          ? 'none: no checkpoint holds these records yet'
          : proofs.map(({ sequence, checkpoint }) => `record ${sequence} by checkpoint ${checkpoint}`).join(', '),
      ],
      ['check it', `understudy ledger verify ${surface} --mlflow`],
    ],
  };
}
