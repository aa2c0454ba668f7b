import { gridAtMost } from './tuning.ts';

/** A mistake that no field can see alone. */
export type Inconsistency = { path: (string | number)[]; message: string };

/**
 * What the fields of a charter say together. Other fields may be wrong or missing meanwhile: each check looks at what it can read, so that
 * one mistake hides no other.
 */
export function inconsistencies(value: unknown): Inconsistency[] {
  const checks = [candidates, vectors, tuning, searching, ladder, reward, approvers, waiting, exploration, diversity, fairness, guardrails, segments];
  return [...checks, dataRules, freezeWindows].flatMap((check) => check(value));
}

function candidates(value: unknown): Inconsistency[] {
  const names = listAt(value, 'candidates').map((one) => at(one, 'name'));
  const twice = names.flatMap((name, index) =>
    typeof name === 'string' && names.indexOf(name) < index ? [{ path: ['candidates', index, 'name'], message: `${name} is there twice` }] : [],
  );
  const bootstrap = at(value, 'bootstrap');
  if (typeof bootstrap !== 'string' || names.length === 0 || names.includes(bootstrap)) return twice;
  return [...twice, { path: ['bootstrap'], message: `${bootstrap} is not one of the candidates` }];
}

function vectors(value: unknown): Inconsistency[] {
  const all = listAt(value, 'candidates');
  return all.flatMap((one, index) => {
    if (at(one, 'embeddings') === undefined) return [];
    const of = at(one, 'embeddings', 'of');
    const path = ['candidates', index, 'embeddings', 'of'];
    const found: Inconsistency[] = [];
    if (at(one, 'name') === at(value, 'bootstrap'))
      found.push({ path: ['bootstrap'], message: 'is made over vectors that no run has made yet: another candidate must come first' });
    if (typeof of !== 'string') return found;
    if (of === at(one, 'name')) found.push({ path, message: 'a candidate cannot be made over its own vectors' });
    else if (!all.some((other) => at(other, 'name') === of)) found.push({ path, message: `${of} is not one of the candidates` });
    return found;
  });
}

function tuning(value: unknown): Inconsistency[] {
  const [trainDays, gapDays, days] = ['trainDays', 'gapDays', 'validationDays'].map((name) => numberAt(value, 'window', name));
  const found: Inconsistency[] = [];
  if (days !== undefined && trainDays !== undefined && days + (gapDays ?? 1) >= trainDays)
    found.push({ path: ['window', 'validationDays'], message: `leaves nothing of the train part, ${trainDays} days, to train on before it and its gap` });
  listAt(value, 'candidates').forEach((one, index) => {
    if (at(one, 'tune') === undefined) return;
    const path = ['candidates', index, 'tune'];
    if (at(one, 'algorithm') === 'guest') found.push({ path, message: 'a guest comes trained: nothing of it can be chosen here' });
    else if (at(one, 'embeddings') !== undefined)
      found.push({ path, message: 'its vectors know the days on which parameters are chosen; tune the candidate that makes them' });
    else if (fixedBehind(one).length > 0)
      found.push({ path, message: `${fixedBehind(one).join(', ')}: what is chosen would not be what is trained, since warmStart names another value` });
    else if (days === undefined) found.push({ path, message: 'needs window.validationDays: parameters are not chosen on the test part' });
  });
  return found;
}

/** Whether a space can be searched as its candidate says. */
function searching(value: unknown): Inconsistency[] {
  return listAt(value, 'candidates').flatMap((one, index) => {
    const [space, search] = [at(one, 'tune'), at(one, 'search')];
    const path = ['candidates', index, 'search'];
    if (typeof space !== 'object' || space === null) return search === undefined ? [] : [{ path, message: 'there is nothing to search: it needs tune' }];
    const [trials, eta, minShare] = [numberAt(search, 'trials'), numberAt(search, 'halving', 'eta') ?? 3, numberAt(search, 'halving', 'minShare') ?? 0.1];
    const found: Inconsistency[] = [];
    const ranges = Object.entries(space).flatMap(([name, values]) => (Array.isArray(values) ? [] : name));
    const many = Object.values(space).reduce((product: number, values) => product * (Array.isArray(values) ? values.length : 1), 1);
    if (at(search, 'trials') === undefined && ranges.length > 0)
      found.push({ path: [...path, 'trials'], message: `${ranges.join(', ')}: of a range it must be said how many trials are drawn` });
    else if (at(search, 'trials') === undefined && many > gridAtMost)
      found.push({ path: ['candidates', index, 'tune'], message: `has more than ${gridAtMost} combinations: search.trials draws some of them` });
    if (at(search, 'halving') !== undefined && ((trials ?? many) < eta || 1 / eta < minShare * (1 - 1e-9)))
      found.push({
        path: [...path, 'halving'],
        message: `there is nothing to halve: ${trials ?? many} trials, eta ${eta}, minShare ${minShare} make one rung`,
      });
    return found;
  });
}

/** Parameters that are chosen and, where training begins from an earlier run, not used. */
function fixedBehind(candidate: unknown): string[] {
  const [tuned, warm] = [at(candidate, 'tune'), at(candidate, 'warmStart')];
  return typeof tuned === 'object' && tuned !== null ? Object.keys(tuned).filter((name) => at(warm, name) !== undefined) : [];
}

function ladder(value: unknown): Inconsistency[] {
  const where = ['release', 'canary'];
  const rungs = listAt(value, ...where, 'ladder');
  const minUnits = at(value, ...where, 'minUnits');
  const found: Inconsistency[] = [];
  if (rungs.length > 0 && Array.isArray(minUnits) && minUnits.length !== rungs.length)
    found.push({ path: [...where, 'minUnits'], message: `needs one number a rung: ${rungs.length}` });
  if (rungs.some((rung, index) => index > 0 && Number(rung) <= Number(rungs[index - 1]))) found.push({ path: [...where, 'ladder'], message: 'must rise' });
  const [attributionMs, maxDurationMs] = [numberAt(value, 'reward', 'attributionMs'), numberAt(value, ...where, 'maxDurationMs')];
  if (attributionMs !== undefined && maxDurationMs !== undefined && maxDurationMs < attributionMs)
    found.push({ path: [...where, 'maxDurationMs'], message: `no outcome is known by then: a user's takes attributionMs, ${attributionMs} ms` });
  return found;
}

function reward(value: unknown): Inconsistency[] {
  const weights = at(value, 'reward', 'weights');
  if (typeof weights !== 'object' || weights === null || Object.values(weights).some((weight) => typeof weight !== 'number' || weight > 0)) return [];
  return [{ path: ['reward', 'weights'], message: 'no event gives any reward' }];
}

function approvers(value: unknown): Inconsistency[] {
  const named = listAt(value, 'release', 'approvers');
  if (at(value, 'release', 'fourEyes') !== true || named.length === 0 || new Set(named.map((one) => at(one, 'name'))).size > 1) return [];
  return [{ path: ['release', 'approvers'], message: 'four eyes need two different approvers' }];
}

function waiting(value: unknown): Inconsistency[] {
  const [remind, expire] = [numberAt(value, 'release', 'remindAfterMs'), numberAt(value, 'release', 'expireAfterMs')];
  if (remind === undefined || expire === undefined || remind <= expire) return [];
  return [{ path: ['release', 'remindAfterMs'], message: `is after the request expires: ${remind} ms against expireAfterMs, ${expire} ms` }];
}

function exploration(value: unknown): Inconsistency[] {
  const [slots, depth, size] = [numberAt(value, 'exploration', 'slots'), numberAt(value, 'exploration', 'poolDepth'), numberAt(value, 'slate', 'size')];
  if (slots === undefined || size === undefined) return [];
  const found: Inconsistency[] = [];
  if (slots > size) found.push({ path: ['exploration', 'slots'], message: `more slots than the slate has: ${size}` });
  if (slots > 0 && depth !== undefined && depth <= size)
    found.push({ path: ['exploration', 'poolDepth'], message: `must be greater than the slate's size, ${size}: the pool begins behind the slate` });
  return found;
}

function diversity(value: unknown): Inconsistency[] {
  const where = ['slate', 'diversity'];
  const [weight, depth, size] = [numberAt(value, ...where, 'weight'), numberAt(value, ...where, 'depth'), numberAt(value, 'slate', 'size')];
  if (weight === undefined || weight === 0 || depth === undefined || size === undefined || depth > size) return [];
  return [{ path: [...where, 'depth'], message: `must be greater than the slate's size, ${size}: there would be nothing to choose from` }];
}

function fairness(value: unknown): Inconsistency[] {
  const [depth, size] = [numberAt(value, 'fairness', 'depth'), numberAt(value, 'slate', 'size')];
  const found: Inconsistency[] = twiceIn(value, ['fairness', 'groups'], 'name');
  if (depth !== undefined && size !== undefined && depth <= size)
    found.push({ path: ['fairness', 'depth'], message: `must be greater than the slate's size, ${size}: there would be nothing to choose from` });
  return found;
}

function guardrails(value: unknown): Inconsistency[] {
  return twiceIn(value, ['guardrails', 'sources'], 'name');
}

function twiceIn(value: unknown, path: string[], key: string): Inconsistency[] {
  const named = listAt(value, ...path).map((one) => at(one, key));
  return named.flatMap((name, index) =>
    typeof name === 'string' && named.indexOf(name) < index ? [{ path: [...path, index, key], message: `${name} is there twice` }] : [],
  );
}

function segments(value: unknown): Inconsistency[] {
  const named = listAt(value, 'evaluation', 'segments').map((one) => at(one, 'by'));
  return named.flatMap((by, index) =>
    typeof by === 'string' && named.indexOf(by) < index ? [{ path: ['evaluation', 'segments', index, 'by'], message: `${by} is there twice` }] : [],
  );
}

function dataRules(value: unknown): Inconsistency[] {
  return listAt(value, 'data', 'rules').flatMap((rule, index) => {
    const path = ['data', 'rules', index];
    if (typeof rule !== 'object' || rule === null) return [];
    const [min, max] = [at(rule, 'min'), at(rule, 'max')];
    if (min === undefined && max === undefined) return [{ path, message: 'needs a min, a max or both: it would never fail' }];
    return typeof min === 'number' && typeof max === 'number' && min > max ? [{ path, message: `min ${min} is above max ${max}: it would always fail` }] : [];
  });
}

function freezeWindows(value: unknown): Inconsistency[] {
  return listAt(value, 'release', 'freezeWindows').flatMap((span, index) => {
    const [from, to] = [numberAt(span, 'fromMs'), numberAt(span, 'toMs')];
    return from === undefined || to === undefined || from < to ? [] : [{ path: ['release', 'freezeWindows', index, 'toMs'], message: 'must be after fromMs' }];
  });
}

function at(value: unknown, ...path: string[]): unknown {
  let inner = value;
  for (const key of path)
    inner = typeof inner === 'object' && inner !== null && Object.hasOwn(inner, key) ? (inner as Record<string, unknown>)[key] : undefined;
  return inner;
}

function listAt(value: unknown, ...path: string[]): unknown[] {
  const found = at(value, ...path);
  return Array.isArray(found) ? found : [];
}

function numberAt(value: unknown, ...path: string[]): number | undefined {
  const found = at(value, ...path);
  return typeof found === 'number' && Number.isFinite(found) ? found : undefined;
}
