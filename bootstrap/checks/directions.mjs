import { posix } from 'node:path';
import { isForTests, lineAt, sourceFiles } from './source-files.mjs';

/**
 * Who may import whom, the innermost folder first. `types` may be imported as types only. `instead` says where the code belongs.
 * @type {{ folder: string, may: string[], types?: string[], instead: string }[]}
 */
export const directions = [
  { folder: 'models/contracts', may: ['models/contracts'], instead: 'a contract is a schema and nothing else: what works with it belongs upstairs' },
  { folder: 'models', may: ['models'], instead: 'models are pure: statistics belong in experiments, effects in activities or stores' },
  // Seeded randomness has no dependencies and must be the same everywhere.
  {
    folder: 'experiments',
    may: ['experiments', 'models/contracts', 'models/random.ts'],
    instead: 'experiments are pure functions over typed arrays: let an activity call the model and pass in what came out',
  },
  { folder: 'stores', may: ['stores', 'models/contracts'], instead: 'stores keep bytes and documents: what they mean is for activities to say' },
  {
    folder: 'activities',
    may: ['activities', 'models', 'experiments', 'stores'],
    instead: 'what both activities and serving need belongs in models, experiments or stores',
  },
  {
    folder: 'serving',
    may: ['serving', 'models', 'experiments', 'stores'],
    instead: 'what both activities and serving need belongs in models, experiments or stores',
  },
  {
    folder: 'workflows',
    may: ['workflows', 'models/contracts/messages.ts'],
    types: ['activities/api.ts', 'activities/root-cause/api.ts', 'models/contracts'],
    instead: 'workflows order recorded decisions: compute in an activity and branch on what it returned',
  },
  {
    folder: 'cli',
    // `doctor` looks for servers as the bootstrap does, and npm's bin is the bootstrap.
    may: ['cli', 'models', 'experiments', 'stores', 'activities', 'bootstrap'],
    instead: 'the command line talks to serving over HTTP and to workflows by their messages',
  },
  { folder: 'bootstrap', may: ['bootstrap'], instead: 'bootstrap runs before anything is installed' },
  {
    folder: 'examples',
    may: ['examples', 'models/contracts', 'activities/events'],
    instead: 'an example is what a user could write: the charter and a mapping',
  },
];

const statement = /(?:^|\n)\s*(?:import|export)\s+(type\s+)?(?:([^;'"]*?)\s+from\s+)?['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)/g;

/** @param {string} root @returns {string[]} */
export function checkDirections(root) {
  const problems = [];
  /** @type {Map<string, string[]>} */
  const graph = new Map();
  for (const { path, text } of sourceFiles(root, ['.ts', '.mjs'])) {
    const rule = directions.find(({ folder }) => path.startsWith(`${folder}/`));
    const edges = [];
    let reexports = 0;
    for (const match of text.matchAll(statement)) {
      const [whole, typeKeyword, names = '', named, dynamic] = match;
      const target = named ?? dynamic ?? '';
      if (/^\s*export/.test(whole)) reexports += 1;
      const typesOnly = typeKeyword !== undefined || /^\{\s*type [^,]*(,\s*type [^,]*)*,?\s*\}$/.test(names.trim());
      const at = `${path}:${lineAt(text, match.index + whole.length)}`;
      if (!target.startsWith('.')) {
        if (
          path.startsWith('workflows/') &&
          !isForTests(path) &&
          !target.startsWith('@temporalio/workflow') &&
          !target.startsWith('@temporalio/common') &&
          !typesOnly
        )
          problems.push(`${at} imports ${target}: a workflow may import @temporalio/workflow and types; compute in an activity`);
        continue;
      }
      const resolved = posix.normalize(posix.join(posix.dirname(path), target));
      if (!typesOnly) edges.push(resolved);
      if (rule === undefined || isForTests(path)) continue;
      const allowed = [...rule.may, ...(typesOnly ? (rule.types ?? []) : [])];
      if (!allowed.some((place) => resolved === place || resolved.startsWith(`${place}/`)))
        problems.push(`${at} imports ${resolved}: ${rule.folder} may import ${allowed.join(', ')}; ${rule.instead}`);
      if (isForTests(resolved)) problems.push(`${at} imports ${resolved}, which is for tests: move what both need into a file of its own`);
    }
    graph.set(path, edges);
    // Temporal bundles one module.
    if (path !== 'workflows/bundle.ts' && reexports > 0 && text.replace(statement, '').replace(/\/\*[\s\S]*?\*\/|\/\/.*|[\s;]/g, '') === '')
      problems.push(`${path} only re-exports: import from where things are`);
  }
  return [...problems, ...cycles(graph)];
}

/** Types vanish when the code runs, so they make no cycle. @param {Map<string, string[]>} graph @returns {string[]} */
function cycles(graph) {
  /** @type {Map<string, 'open' | 'done'>} */
  const state = new Map();
  const found = [];
  const visit = (/** @type {string} */ node, /** @type {string[]} */ path) => {
    if (state.get(node) === 'done') return;
    if (state.get(node) === 'open') {
      found.push(`${[...path.slice(path.indexOf(node)), node].join(' -> ')} is a cycle: what both need belongs in a file below them`);
      return;
    }
    state.set(node, 'open');
    for (const next of graph.get(node) ?? []) visit(next, [...path, node]);
    state.set(node, 'done');
  };
  for (const node of graph.keys()) visit(node, []);
  return found;
}
