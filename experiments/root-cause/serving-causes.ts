import type { CauseName, TrafficRow } from '../../models/contracts/root-cause.ts';
import {
  byModel,
  certain,
  type Examine,
  type Finding,
  found,
  hasFallen,
  hasRisen,
  type Look,
  none,
  percent,
  placeOf,
  sign,
  slates,
  suspicious,
  unknown,
  unusual,
  type Verdict,
} from './look.ts';

/** For how long a replica may take to see a new deployment. */
const behindMs = 60_000;

/** A share of slates that has risen, overall or on one replica. */
function shareOfSlates(look: Look, { cause, value, what }: { cause: CauseName; value: (row: TrafficRow) => number; what: string }): Verdict {
  const whole = look.slateRate(value, slates);
  if (whole === undefined) return unknown(cause, 'there are too few comparable stretches of time with slates');
  const place = placeOf(look, value, ['replica', 'device', 'country', 'segment']);
  const own = look.slateRate(value, slates, place.rows) ?? whole;
  if (!hasRisen(own)) return none(cause, `${percent(whole.value)} of slates ${what}, ${percent(whole.expected)} expected`);
  const at = Object.entries(place.where);
  const evidence = [
    sign('for', `${percent(own.value)} of slates ${what}${at.map(([name, one]) => ` on ${name} ${one}`)}, ${percent(own.expected)} expected`, own),
  ];
  if (at.length > 0) {
    const rest = look.slateRate(value, slates, (row) => !place.rows(row));
    if (rest !== undefined) evidence.push(sign('for', `elsewhere it is ${percent(rest.value)}, ${percent(rest.expected)} expected`, rest));
  }
  return found({ cause, where: place.where, deviations: own.deviations, evidence, rows: (row) => place.rows(row) && value(row) > 0 });
}

const fallback: Examine = (look) => {
  const verdict = shareOfSlates(look, { cause: 'fallback', value: (row) => (row.rung === 'model' ? 0 : row.slates), what: 'are not from the model' });
  const failures = look.facts.replicas.filter(({ modelFailures }) => modelFailures > 0);
  for (const { evidence } of verdict.findings)
    for (const { replica, modelFailures } of failures) evidence.push(sign('for', `${modelFailures} questions that the model did not answer on ${replica}`));
  return verdict;
};

const latency: Examine = (look) => shareOfSlates(look, { cause: 'latency', value: (row) => row.slow, what: 'took longer than the objective allows' });

const errors: Examine = ({ facts: { replicas } }) => {
  const counted = replicas.filter(({ requests }) => requests > 0);
  if (counted.length === 0) return unknown('errors', 'no replica says how many of its requests failed');
  const shareOf = ({ failed, requests }: { failed: number; requests: number }) => failed / requests;
  const failing = counted.filter((one) => one.failed >= 10 && shareOf(one) >= 0.01);
  const [worst] = failing.toSorted((a, b) => shareOf(b) - shareOf(a));
  if (worst === undefined) return none('errors', 'of no replica does one request in a hundred fail');
  const isOne = failing.length === 1 && counted.length > 1;
  return found({
    cause: 'errors',
    where: isOne ? { replica: worst.replica } : {},
    deviations: certain,
    evidence: failing.map((one) => sign('for', `${percent(shareOf(one))} of the requests of ${one.replica} fail (${one.failed} of ${one.requests})`)),
    rows: isOne ? (row) => row.replica === worst.replica : undefined,
  });
};

const staleDeployment: Examine = ({ facts: { replicas, deployments } }) => {
  const live = replicas.filter((one) => one.live);
  if (live.length === 0) return unknown('stale-deployment', 'no replica reports itself');
  const newest = deployments.at(-1)?.generation;
  const behind = live.filter((one) => one.behindMs >= behindMs);
  if (behind.length === 0)
    return none('stale-deployment', `every live replica serves the deployment in force${newest === undefined ? '' : `, generation ${newest}`}`);
  return found(
    ...behind.map(
      (one): Finding => ({
        cause: 'stale-deployment',
        where: { replica: one.replica },
        deviations: certain,
        evidence: [
          sign(
            'for',
            `${one.replica} serves generation ${one.generation}, and for ${Math.round(one.behindMs / 60_000)} minutes there has been generation ${newest}`,
          ),
        ],
        rows: (row) => row.replica === one.replica,
      }),
    ),
  );
};

const wrongArtifact: Examine = ({ facts: { deployments }, trafficNow }) => {
  const named = new Map(deployments.map(({ generation, artifacts }) => [generation, new Set(artifacts)]));
  const known = trafficNow.filter(({ generation, artifact }) => artifact !== null && named.has(generation));
  if (known.length === 0) return unknown('wrong-artifact', 'no slate of the incident names an artifact and a deployment that is known');
  const isForeign = ({ generation, artifact }: TrafficRow) => artifact !== null && named.get(generation)?.has(artifact) === false;
  const sum = (rows: readonly TrafficRow[]) => rows.reduce((total, row) => total + row.slates, 0);
  const foreign = known.filter(isForeign);
  const [many, of] = [sum(foreign), sum(known)];
  if (many < 5 || many / of < 0.002) return none('wrong-artifact', 'slates are of the artifacts that their deployments name');
  const replicas = [...new Set(foreign.map(({ replica }) => replica))];
  const isOne = replicas.length === 1 && new Set(known.map(({ replica }) => replica)).size > 1;
  return found({
    cause: 'wrong-artifact',
    where: isOne ? { replica: replicas[0] as string } : {},
    deviations: certain,
    evidence: [
      sign(
        'for',
        `${percent(many / of)} of slates are of ${foreign[0]?.artifact?.slice(0, 19)}…, which their deployment does not name, on ${replicas.join(', ')}`,
      ),
    ],
    rows: isForeign,
  });
};

const rules: Examine = (look) => {
  const before = new Set(look.traffic.filter((row) => !look.isNow(row)).map((row) => row.rules));
  const isNew = (row: TrafficRow) => !before.has(row.rules);
  const share = look.count(slates, isNew) / Math.max(1, look.count(slates));
  if (share < 0.05) return none('rules', 'the rules are those of before');
  const short = look.slateRate(
    (row) => row.short,
    slates,
    (row) => !look.isNow(row) || isNew(row),
  );
  const worth = look.adjustedRate(
    (row) => row.reward,
    (row) => row.seen,
    (row) => isNew(row) && byModel(row),
    byModel,
  );
  const evidence = [sign('for', `${percent(share)} of slates are made under rules that were not there before`)];
  const isShort = hasRisen(short);
  const isWorse = hasFallen(worth, 0.8, suspicious);
  if (isShort) evidence.push(sign('for', `${percent(short.value)} of these are short, ${percent(short.expected)} expected`, short));
  if (isWorse) evidence.push(sign('for', `these are worth ${percent(worth.ratio)} of what such visitors give`, worth));
  if (!isShort && !isWorse) return none('rules', 'they changed, and slates are neither short nor worth less since');
  return found({
    cause: 'rules',
    where: {},
    deviations: Math.max(isShort ? short.deviations : 0, isWorse ? -worth.deviations : 0, unusual),
    evidence,
    rows: isNew,
  });
};

export const servingCauses: readonly Examine[] = [fallback, latency, errors, staleDeployment, wrongArtifact, rules];
