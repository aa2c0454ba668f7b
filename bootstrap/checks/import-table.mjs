/**
 * Who may import whom. The first row whose `folder` holds the file is its row; a file that no row holds is refused, so a new room needs
 * a line here. `may`: folders and files of this project; `types`: those that may be imported as types only; `packages`: what is
 * installed (`node:*` is all of Node). `instead` says where code belongs that needs more. A new dependency is a line here, too.
 */

/** @typedef {{ folder: string, may: string[], types?: string[], packages: string[], instead: string }} Row */

const everyRoom = ['activities', 'bench', 'bootstrap', 'cli', 'examples', 'experiments', 'models', 'serving', 'stores', 'test', 'workflows'];
const algorithmsToo = 'What reads files, clocks or the network belongs in activities, stores or serving, which call this code with what it needs.';

/** @type {readonly Row[]} */
export const directions = [
  {
    folder: 'models/contracts',
    may: ['models/contracts'],
    packages: ['zod', 'node:crypto'],
    instead:
      'Everything stands on the contracts, so they stand on nothing: put what needs more into models/algorithms, models/slate, experiments or activities.',
  },
  {
    // Seeded random numbers: pure, and the experiments need the same ones.
    folder: 'models/random.ts',
    may: [],
    packages: [],
    instead: 'It has no dependencies, so that everybody may use it.',
  },
  {
    folder: 'models/algorithms',
    may: ['models'],
    packages: ['zod', 'node:crypto'],
    instead: algorithmsToo,
  },
  {
    folder: 'models/graph',
    may: ['models'],
    // A graph is built as protocol buffers and checked in the runtime that serves it; both are given bytes and read no files.
    packages: ['onnxruntime-node', 'protobufjs'],
    instead: algorithmsToo,
  },
  {
    folder: 'models/slate',
    may: ['models'],
    packages: ['node:crypto'],
    instead: algorithmsToo,
  },
  {
    folder: 'experiments',
    // random.ts: confidence intervals and the simulator draw with the seeds that the models use.
    may: ['experiments', 'models/contracts', 'models/random.ts'],
    packages: ['zod'],
    instead: 'What scores items belongs in models, what reads or writes in activities; hand the results in as arguments.',
  },
  {
    folder: 'stores',
    may: ['stores', 'models/contracts'],
    packages: ['node:*', 'zod'],
    instead: 'A store keeps what it is given: what decides or computes belongs in experiments or models, and activities bring the two together.',
  },
  {
    folder: 'activities',
    may: ['activities', 'models', 'experiments', 'stores'],
    packages: ['node:*', '@duckdb/node-api', '@temporalio/activity', '@temporalio/client', '@temporalio/worker', 'zod'],
    instead: 'What serving needs as well belongs in models, experiments or stores; what orders steps in workflows; what a person calls in cli.',
  },
  {
    folder: 'workflows',
    may: ['workflows', 'models/contracts/messages.ts'],
    types: ['activities', 'models/contracts'],
    packages: ['@temporalio/workflow', '@temporalio/common'],
    instead: 'Workflows only order recorded decisions: put what computes or reads into an activity, and names into models/contracts/messages.ts.',
  },
  {
    folder: 'serving',
    may: ['serving', 'models', 'experiments', 'stores'],
    packages: ['node:*', 'express', 'lru-cache', 'prom-client', 'zod'],
    instead: 'Serving and the pipeline meet in stores alone: what both need belongs in models, experiments or stores.',
  },
  {
    folder: 'cli',
    // bootstrap: `doctor` asks it what is installed, and bin/understudy starts by it.
    may: ['cli', 'activities', 'experiments', 'models', 'stores', 'bootstrap'],
    packages: ['node:*', '@duckdb/node-api', '@temporalio/client', '@temporalio/common', 'commander', 'zod'],
    instead:
      'A command starts serving and workers as processes and talks to workflows by messages; what it wants of their insides belongs in models or stores.',
  },
  {
    // Looks at the tree after everything is installed, so it may use what is.
    folder: 'bootstrap/checks',
    may: ['bootstrap', 'models/contracts/problem.ts'],
    packages: ['node:*', 'typescript'],
    instead: 'A check looks at the text of the tree, it does not run it.',
  },
  {
    // Run after npm ci: Temporal's SDK knows where its server is downloaded from.
    folder: 'bootstrap/download-temporal.mjs',
    may: [],
    packages: ['@temporalio/testing'],
    instead: 'It downloads and nothing else.',
  },
  {
    folder: 'bootstrap',
    may: ['bootstrap'],
    packages: ['node:*'],
    instead: 'It runs on any Node from 20 on before anything is installed: what needs packages or TypeScript belongs in cli.',
  },
  {
    folder: 'examples',
    // An importer of one's own fills in the type of its mapping; what defineSurface takes stands in contracts.
    may: ['examples', 'models/contracts', 'activities/events/mapping.ts'],
    packages: ['node:*'],
    instead: 'An example shows what anybody can write outside: what it misses belongs into contracts or into activities/events/mapping.ts.',
  },
  {
    folder: 'vitest.config.ts',
    may: [],
    packages: ['node:*', 'vitest'],
    instead: 'It says how tests run.',
  },
];

/**
 * Tests (`*.test.ts`, `testing.ts`, test/, bench/) put real parts of all rooms together, so they may import everything; nothing else may
 * import them.
 */
export const testRow = { may: everyRoom, packages: ['*'] };

/** Files that do nothing but pass on what others export. @type {Readonly<Record<string, string>>} */
export const reExportsAllowed = {
  'workflows/bundle.ts': 'Temporal bundles the workflows from one file that exports each of them by name.',
};
