/** Where the surroundings may be looked at: the environment in composition roots, clocks and chance nowhere in what is pure. */
import { SyntaxKind } from 'typescript/unstable/ast';
import { importsOf, isTest, isWithin, walk } from './source-tree.mjs';

/** @typedef {import('./source-tree.mjs').Violation} Violation */
/** @typedef {import('./source-tree.mjs').Module} Module */

/** Where a process begins, and what starts processes: they read the environment once and hand on what they found. */
const mayReadEnvironment = new Map([
  ['activities/main.ts', 'the worker begins here'],
  ['serving/main.ts', 'the serving tier begins here'],
  ['cli/understudy.ts', 'the command line begins here'],
  ['bootstrap', 'runs before anything is installed, and hands its environment to what it starts'],
  ['vitest.config.ts', 'the tests begin here'],
  ['cli/system/start-system.ts', 'the processes it starts inherit the environment of the one that starts them'],
]);

const pure = ['models', 'experiments'];
/** Not pure, but time is an argument here as well: a test or a rerun must be able to say what time it is. */
const clockless = ['stores', 'activities'];
const mayLookAtClock = new Map([
  ['activities/main.ts', 'the worker begins here, and hands the clock on'],
  ['stores/mlflow/mlflow-client.ts', "MLflow's own notes of when a run began and ended; nothing is decided by them"],
]);

/** A digest of what was given is no effect. */
const pureOfNode = new Map([['node:crypto', ['createHash']]]);

/** @param {import('./source-tree.mjs').Tree} tree @returns {Violation[]} */
export function checkPurity(tree) {
  return tree.modules.filter(({ path }) => !isTest(path)).flatMap((module) => [...surroundings(module), ...nodeImports(module)]);
}

/** @returns {Violation[]} */
function surroundings(/** @type {Module} */ module) {
  const within = (/** @type {Iterable<string>} */ places) => [...places].some((place) => isWithin(module.path, place));
  const noEnvironment = !within(mayReadEnvironment.keys());
  const isPure = within(pure);
  const noClock = isPure || (within(clockless) && !within(mayLookAtClock.keys()));
  /** @type {Violation[]} */
  const found = [];
  walk(module.ast, (node) => {
    const what = looksAt(node);
    const at = `${module.path}:${module.lineOf(node)}`;
    if (what === 'process.env' && noEnvironment)
      found.push({ at, message: `process.env is read in composition roots only (${roots()}). Take the value as an argument.` });
    else if (what === 'clock' && noClock) found.push({ at, message: 'the clock is an argument here. Take a time or a `clock: () => number`, and let the caller read it.' });
    else if (what === 'chance' && isPure) found.push({ at, message: 'chance is an argument here. Take a seed and draw with models/random.ts.' });
    else if (what === 'process' && isPure)
      found.push({ at, message: 'models and experiments are pure and know no process. What has effects belongs in activities, serving or cli.' });
  });
  return found;
}

const roots = () => [...mayReadEnvironment.keys()].filter((path) => path.endsWith('main.ts') || path.endsWith('understudy.ts')).join(', ');

/** @param {any} node @returns {'process.env' | 'process' | 'clock' | 'chance' | undefined} */
function looksAt(node) {
  if (node.kind === SyntaxKind.PropertyAccessExpression) {
    const name = `${node.expression.text ?? ''}.${node.name.text}`;
    if (name === 'process.env') return 'process.env';
    if (name === 'Date.now' || name === 'performance.now') return 'clock';
    if (name === 'Math.random' || name === 'crypto.randomUUID' || name === 'crypto.getRandomValues') return 'chance';
    return name.startsWith('process.') ? 'process' : undefined;
  }
  const isDate = node.kind === SyntaxKind.NewExpression && node.expression.text === 'Date';
  return isDate && (node.arguments?.length ?? 0) === 0 ? 'clock' : undefined;
}

/** The table of directions says which modules of Node a pure room may name; here, what of them. @returns {Violation[]} */
function nodeImports(/** @type {Module} */ module) {
  if (!pure.some((place) => isWithin(module.path, place))) return [];
  return importsOf(module).flatMap(({ specifier, line, names, typeOnly }) => {
    const allowed = pureOfNode.get(specifier);
    const beyond = allowed === undefined || typeOnly ? [] : names.filter((name) => !allowed.includes(name));
    if (beyond.length === 0) return [];
    const at = `${module.path}:${line}`;
    return [{ at, message: `${beyond.join(', ')} of ${specifier} is not pure; only ${allowed?.join(', ')} may be used here. Let the caller hand it in.` }];
  });
}
