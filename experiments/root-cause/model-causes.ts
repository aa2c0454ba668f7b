import type { TrafficRow } from '../../models/contracts/root-cause.ts';
import { byModel, certain, type Examine, found, hasFallen, hasRisen, type Look, none, percent, sign, slates, suspicious, unknown, unusual } from './look.ts';

const reward = (row: TrafficRow): number => row.reward;

/** Artifacts that answer now and did not before the incident. */
export function newArtifacts(look: Look): Set<string> {
  const before = new Set(look.traffic.filter((row) => !look.isNow(row)).map(({ artifact }) => artifact));
  const named = new Set(look.facts.deployments.flatMap(({ artifacts }) => artifacts));
  return new Set(look.trafficNow.flatMap(({ artifact }) => (artifact !== null && !before.has(artifact) && named.has(artifact) ? [artifact] : [])));
}

const newArtifact: Examine = (look) => {
  const fresh = newArtifacts(look);
  if (fresh.size === 0) return none('new-artifact', 'the artifacts that answer are those of before');
  const isFresh = (row: TrafficRow) => row.artifact !== null && fresh.has(row.artifact);
  const share = look.count(slates, isFresh) / Math.max(1, look.count(slates));
  const worth = look.adjustedRate(reward, look.shown, (row) => byModel(row) && isFresh(row), byModel);
  if (worth === undefined) return unknown('new-artifact', 'there are too few comparable stretches with slates');
  const { ratio } = worth;
  if (!hasFallen(worth, 0.85, suspicious))
    return none(
      'new-artifact',
      `${[...fresh].map((one) => one.slice(0, 19)).join(', ')}… is new and worth ${percent(ratio)} of what such visitors gave before`,
    );
  const evidence = [
    sign(
      'for',
      `${percent(share)} of slates are of an artifact that went live now; it is worth ${percent(worth.ratio)} of what such visitors gave before`,
      worth,
    ),
  ];
  const others = look.adjustedRate(reward, look.shown, (row) => byModel(row) && !isFresh(row), byModel);
  if (others !== undefined && look.count(slates, (row) => byModel(row) && !isFresh(row)) >= 500)
    evidence.push(sign(hasFallen(others, 0.85) ? 'against' : 'for', `other artifacts are worth ${percent(others.ratio)} of it at the same time`, others));
  const isAlike = evidence.some(({ speaks }) => speaks === 'against');
  return found({ cause: 'new-artifact', where: {}, deviations: isAlike ? unusual : -worth.deviations, evidence, rows: isFresh });
};

/** Of an adjusted p-value: what chance alone brings in one of 500 looks. */
const driftedAt = 0.002;

const drift: Examine = ({ facts: { model } }) => {
  if (model === null || model.drift.length === 0) return unknown('drift', 'no measure of drift is there');
  const moved = model.drift.filter(({ p }) => p <= driftedAt);
  if (moved.length === 0) return none('drift', `${model.drift.map(({ what }) => what).join(', ')} moved by no more than chance, or retraining, moves them`);
  return found({
    cause: 'drift',
    where: {},
    deviations: Math.max(...moved.map(({ p }) => Math.sqrt(-2 * Math.log(Math.max(p, 1e-12))))),
    evidence: moved.map(({ what, p, moved: which }) =>
      sign('for', `${what} moved by more than chance, or retraining, moves them (p ${p.toPrecision(2)}): ${which}`),
    ),
  });
};

const coldShare: Examine = (look) => {
  const cold = look.eventRate(
    (row) => row.coldItems,
    (row) => row.accepted,
    () => true,
  );
  const known = look.adjustedRate((row) => row.known, slates);
  if (cold === undefined && known === undefined) return unknown('cold-share', 'there are too few comparable stretches with events or slates');
  const evidence = [
    ...(hasRisen(cold, { factor: 1.5, least: 0.06 })
      ? [sign('for', `${percent(cold.value)} of events are of items that the model does not know, ${percent(cold.expected)} expected`, cold)]
      : []),
    ...(hasFallen(known, 0.88) ? [sign('for', `of visitors of the same sorts, ${percent(known.ratio)} as many as always have a history`, known)] : []),
  ];
  if (evidence.length === 0) return none('cold-share', 'visitors without a history, and items that the model does not know, are as many as always');
  return found({ cause: 'cold-share', where: {}, deviations: Math.max(...evidence.map(({ deviations }) => Math.abs(deviations ?? 0))), evidence });
};

/** A champion that has stood for longer did no harm by its window before. */
const badWindow: Examine = (look) => {
  const { model, units } = look.facts;
  if (model === null || model.window.length === 0) return unknown('bad-window', 'there is no champion whose window could be looked at');
  const broken = model.window.filter(
    ({ rows, usual, quarantined, before }) =>
      ((usual !== null && rows < 0.5 * usual) || (rows + quarantined > 0 && quarantined / (rows + quarantined) > 0.25)) &&
      // The champion before it has learned from no more, and did well.
      (before == null || before > 1.1 * rows),
  );
  if (broken.length === 0)
    return none('bad-window', `all ${model.window.length} days of the champion's window are as such days are, or as they were to the champion before it`);
  const now = units.find((unit) => unit.now);
  const isNew = now !== undefined && model.sinceMs >= now.fromMs - (now.toMs - now.fromMs);
  const evidence = [
    sign(
      'for',
      `${broken.length} of the ${model.window.length} days that it was trained on are missing or broken: ${broken
        .slice(0, 5)
        .map(({ day }) => day)
        .join(', ')}`,
    ),
    sign(isNew ? 'for' : 'against', isNew ? 'it went live now' : 'it was live before anything was wrong'),
  ];
  if (!isNew) return none('bad-window', `${broken.length} days of its window are broken, and it was live before anything was wrong`);
  return found({ cause: 'bad-window', where: {}, deviations: broken.length > 1 ? certain : unusual, evidence });
};

const featureMismatch: Examine = ({ facts: { model } }) => {
  const features = model?.features ?? null;
  if (features === null || features.checked === 0) return unknown('feature-mismatch', 'no served values of features could be held against those of the data');
  const share = features.different / features.checked;
  if (share < 0.01 || features.different < 5)
    return none('feature-mismatch', `${features.checked - features.different} of ${features.checked} served values are those of the data`);
  return found({
    cause: 'feature-mismatch',
    where: {},
    deviations: certain,
    evidence: [sign('for', `${percent(share)} of ${features.checked} served values are not those that the data give`)],
  });
};

const trainServeDifference: Examine = ({ facts: { model } }) => {
  const replayed = model?.replayed ?? null;
  if (replayed === null || replayed.slates === 0) return unknown('train-serve-difference', 'no logged slate could be made again');
  const share = replayed.different / replayed.slates;
  if (share < 0.03 || replayed.different < 4)
    return none('train-serve-difference', `${replayed.slates - replayed.different} of ${replayed.slates} logged slates come out again as they were served`);
  return found({
    cause: 'train-serve-difference',
    where: {},
    deviations: certain,
    evidence: [sign('for', `${percent(share)} of ${replayed.slates} logged slates come out otherwise when the stored artifact makes them again`)],
  });
};

export const modelCauses: readonly Examine[] = [newArtifact, drift, coldShare, badWindow, featureMismatch, trainServeDifference];
