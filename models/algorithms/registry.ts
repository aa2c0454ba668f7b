import { inputError, type Mistake, UnderstudyError } from '../contracts/problem.ts';
import { taskQueues } from '../contracts/messages.ts';
import { combinations, gridAtMost, type TuningSpace, tuningSpace } from '../contracts/tuning.ts';
import type { Algorithm } from './algorithm.ts';
import { ease } from './ease/ease.ts';
import { embeddingKnn } from './embedding-knn/embedding-knn.ts';
import { gfCf } from './gf-cf/gf-cf.ts';
import { ials } from './ials/ials.ts';
import { itemKnn } from './item-knn/item-knn.ts';
import { ncf } from './ncf/ncf.ts';
import { popularity } from './popularity/popularity.ts';
import { sasrec } from './sasrec/sasrec.ts';
import { sessionKnn } from './session-knn/session-knn.ts';
import { twoTower } from './two-tower/two-tower.ts';

/** Every algorithm by name. The contract suite runs on all of them. */
// biome-ignore lint/suspicious/noExplicitAny: each has parameters of its own, checked by its own schema before they are used.
export const algorithms: Readonly<Record<string, Algorithm<any>>> = {
  popularity,
  'item-knn': itemKnn,
  ials,
  'gf-cf': gfCf,
  ease,
  'embedding-knn': embeddingKnn,
  'session-knn': sessionKnn,
  sasrec,
  'two-tower': twoTower,
  ncf,
};

/** @throws UND-INPUT naming the algorithms there are. */
// biome-ignore lint/suspicious/noExplicitAny: as above.
export function algorithmNamed(name: string): Algorithm<any> {
  const known = Object.hasOwn(algorithms, name) ? algorithms[name] : undefined;
  if (known === undefined) throw new UnderstudyError('UND-INPUT', `There is no model '${name}'. There are: ${Object.keys(algorithms).join(', ')}`);
  return known;
}

/**
 * The algorithm's parameters with its defaults filled in.
 * @throws UND-INPUT naming every mistake.
 */
export function parseParams<Params>(algorithm: Algorithm<Params>, params: unknown): Params {
  const parsed = algorithm.params.safeParse(params);
  if (!parsed.success) throw inputError('UND-INPUT', `The parameters of ${algorithm.name}`, parsed.error.issues);
  return parsed.data;
}

/** Not trained here: a folder with a graph of its own, and what a worker of somebody else's trains. */
const [guest, trainer] = ['guest', 'trainer'];

/**
 * What a charter's candidates name that is not there, and parameters that their algorithm does not take: found when the charter comes in
 * instead of in training. The charter may have other mistakes; what is no candidate at all is left to its schema.
 */
export function checkCandidates(charter: unknown): Mistake[] {
  const candidates = memberOf(charter, 'candidates');
  if (!Array.isArray(candidates)) return [];
  return candidates.flatMap((candidate: unknown, index): Mistake[] => {
    const [name, params = {}] = [memberOf(candidate, 'algorithm'), memberOf(candidate, 'params')];
    const at = `/candidates/${index}`;
    if (typeof name !== 'string') return [];
    if (name === trainer) return trainerMistakes(candidate, at);
    const queued = ['taskQueue', 'waitMs'].flatMap((field) =>
      memberOf(candidate, field) === undefined
        ? []
        : [{ path: `${at}/${field}`, message: `${name} is not trained by a worker of its own; algorithm: 'trainer' is` }],
    );
    if (name === guest) {
      const folder = memberOf(params, 'folder');
      const start = ['warmStart', 'embeddings', 'index', 'weights', 'gpu'].flatMap((field) =>
        memberOf(candidate, field) === undefined ? [] : [{ path: `${at}/${field}`, message: 'a guest comes trained' }],
      );
      const missing = typeof folder === 'string' && folder !== '' ? [] : [{ path: `${at}/params/folder`, message: 'a guest needs its folder' }];
      return [...missing, ...start, ...queued];
    }
    if (!Object.hasOwn(algorithms, name))
      return [{ path: `${at}/algorithm`, message: `there is no algorithm '${name}'; there are ${[...Object.keys(algorithms), guest, trainer].join(', ')}` }];
    return [
      ...queued,
      ...paramMistakes(name, params, `${at}/params`),
      ...startMistakes(name, candidate, `${at}/warmStart`),
      ...tuneMistakes(name, candidate, `${at}/tune`),
      ...vectorMistakes(name, candidate, { candidates, at: `${at}/embeddings` }),
      ...indexMistakes(name, candidate, at),
      ...gpuMistakes(name, candidate, `${at}/gpu`),
    ];
  });
}

/** Its parameters are its worker's affair. */
function trainerMistakes(candidate: unknown, at: string): Mistake[] {
  const queue = memberOf(candidate, 'taskQueue');
  const own: readonly unknown[] = Object.values(taskQueues);
  const mistakes = ['tune', 'warmStart', 'embeddings', 'index', 'weights', 'gpu'].flatMap((field) =>
    memberOf(candidate, field) === undefined ? [] : [{ path: `${at}/${field}`, message: 'is not for a trainer of your own yet' }],
  );
  if (queue === undefined) return [{ path: `${at}/taskQueue`, message: 'a trainer needs the task queue that its worker serves' }, ...mistakes];
  return own.includes(queue) ? [{ path: `${at}/taskQueue`, message: `${queue} is served by workers of Understudy's own` }, ...mistakes] : mistakes;
}

function paramMistakes(name: string, params: unknown, at: string): Mistake[] {
  const parsed = algorithmNamed(name).params.safeParse(params);
  return parsed.success ? [] : inputError('UND-INPUT', '', parsed.error.issues).mistakes.map(({ path, message }) => ({ path: `${at}${path}`, message }));
}

/** Of parameters that differ where training begins from an earlier run. */
function startMistakes(name: string, candidate: unknown, at: string): Mistake[] {
  const other = memberOf(candidate, 'warmStart');
  if (other === undefined) return [];
  return algorithmNamed(name).warmParams === undefined ? [{ path: at, message: `${name} cannot begin from an earlier run` }] : paramMistakes(name, other, at);
}

/** Of values to choose from, each beside the parameters that are not chosen. */
function tuneMistakes(name: string, candidate: unknown, at: string): Mistake[] {
  const space = tuningSpace.safeParse(memberOf(candidate, 'tune') ?? {}).data ?? {};
  const params = memberOf(candidate, 'params');
  const mistakes = probesOf(space).flatMap((one) => paramMistakes(name, { ...(typeof params === 'object' ? params : {}), ...one }, at));
  return [...new Map(mistakes.map((one) => [`${one.path} ${one.message}`, one])).values()].filter(({ path }) =>
    Object.keys(space).some((key) => path.startsWith(`${at}/${key}`)),
  );
}

/** Points at which all values of lists, the ends of ranges and a place between them come up: in all combinations where these are few, else beside the first of the others. */
function probesOf(space: TuningSpace): ReturnType<typeof combinations> {
  const values = Object.fromEntries(
    Object.entries(space).map(([key, one]) => {
      if (Array.isArray(one)) return [key, one];
      const { min, max, integer } = one;
      return [key, integer ? [min, max] : [min, min + (max - min) / Math.PI, max]];
    }),
  );
  const many = Object.values(values).reduce((product, { length }) => product * length, 1);
  if (many <= gridAtMost) return combinations(values);
  const first = Object.fromEntries(Object.entries(values).map(([key, list]) => [key, list[0] as (typeof list)[number]]));
  return Object.entries(values).flatMap(([key, list]) => list.map((value) => ({ ...first, [key]: value })));
}

/** Vectors where there must be some, none where nothing is done with them, and of a candidate that makes any. */
function vectorMistakes(name: string, candidate: unknown, { candidates, at }: { candidates: readonly unknown[]; at: string }): Mistake[] {
  const from = memberOf(candidate, 'embeddings');
  const takes = algorithmNamed(name).embeddings === 'given';
  if (from === undefined) return takes ? [{ path: at, message: `${name} is made over another candidate's vectors: \`embeddings: { of: '…' }\` names it` }] : [];
  if (!takes) return [{ path: at, message: `${name} is not made over vectors` }];
  const of = memberOf(from, 'of');
  const source = memberOf(
    candidates.find((one) => memberOf(one, 'name') === of),
    'algorithm',
  );
  const makes = Object.keys(algorithms).filter((one) => algorithmNamed(one).embeddings === 'made');
  if (typeof source !== 'string' || makes.includes(source)) return [];
  return [{ path: `${at}/of`, message: `${source} makes no vectors; there are ${makes.join(', ')} for that` }];
}

function indexMistakes(name: string, candidate: unknown, at: string): Mistake[] {
  if (algorithmNamed(name).retrieval === 'product') return [];
  const products = Object.keys(algorithms).filter((one) => algorithmNamed(one).retrieval === 'product');
  const reasons = {
    index: `${name} has one way to find the best; those of ${products.join(', ')} can be chosen`,
    weights: `${name} is kept as it is; items of ${products.join(', ')} can be kept in 8 bits`,
  };
  return Object.entries(reasons).flatMap(([field, message]) =>
    [undefined, 'float32'].includes(memberOf(candidate, field) as string) ? [] : [{ path: `${at}/${field}`, message }],
  );
}

function gpuMistakes(name: string, candidate: unknown, at: string): Mistake[] {
  if (memberOf(candidate, 'gpu') === undefined || algorithmNamed(name).gpu !== undefined) return [];
  const can = Object.keys(algorithms).filter((one) => algorithmNamed(one).gpu !== undefined);
  return [{ path: at, message: `${name} is trained on the CPU; those that can be on a GPU are ${can.join(', ')}` }];
}

const memberOf = (value: unknown, key: string): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
