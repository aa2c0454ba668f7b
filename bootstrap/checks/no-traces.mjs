/** Nothing half done stays in the tree: no test that is left out or runs alone, no note to come back to. */
import { SyntaxKind } from 'typescript/unstable/ast';
import { walk } from './source-tree.mjs';

/** @typedef {import('./source-tree.mjs').Violation} Violation */

const tests = new Set(['it', 'test', 'describe', 'suite', 'bench']);
const leavesOut = new Set(['skip', 'only', 'todo', 'skipIf', 'runIf', 'fails']);
// In two halves, so that this file does not find itself.
const notes = new RegExp(`\\b(${'TO'}DO|${'FIX'}ME)\\b`);
const written = /\.(ts|mts|mjs|js|py|md|json|ya?ml|html|css|sh|sql)$/;

/** @param {import('./source-tree.mjs').Tree} tree @returns {Violation[]} */
export function checkNoTraces(tree) {
  return [...tree.modules.flatMap(leftOutTests), ...tree.paths.filter((path) => written.test(path)).flatMap((path) => notesIn(path, tree.text(path)))];
}

/** @returns {Violation[]} */
function notesIn(/** @type {string} */ path, /** @type {string} */ text) {
  if (!notes.test(text)) return [];
  return text.split('\n').flatMap((line, index) => {
    const note = notes.exec(line)?.[1];
    return note === undefined
      ? []
      : [{ at: `${path}:${index + 1}`, message: `${note}: do it now, or take the note out and say what is missing where users read.` }];
  });
}

/** @param {import('./source-tree.mjs').Module} module @returns {Violation[]} */
function leftOutTests(module) {
  /** @type {Violation[]} */
  const found = [];
  const add = (/** @type {any} */ node, /** @type {string} */ what) =>
    found.push({ at: `${module.path}:${module.lineOf(node)}`, message: `${what}: every test runs everywhere. Mend it, or take it out.` });
  walk(module.ast, (/** @type {any} */ node) => {
    if (node.kind === SyntaxKind.PropertyAccessExpression && leavesOut.has(node.name.text) && tests.has(rootOf(node)))
      add(node, `${rootOf(node)}.${node.name.text}`);
    if (node.kind !== SyntaxKind.CallExpression) return;
    // `context.skip()` inside of a test, and `it(name, { skip: true }, ...)`.
    if (/^(context|ctx|t|task)\.skip$/.test(`${node.expression.expression?.text}.${node.expression.name?.text}`)) add(node, 'skip()');
    if (!tests.has(rootOf(node))) return;
    for (const option of node.arguments.filter((/** @type {any} */ one) => one.kind === SyntaxKind.ObjectLiteralExpression).flatMap(propertiesOf))
      if (leavesOut.has(option.name?.text)) add(option, `${rootOf(node)} with ${option.name.text}`);
  });
  return found;
}

const propertiesOf = (/** @type {any} */ literal) => [...literal.properties];

/** `it` of `it.each(rows).skip(...)`. @param {any} node @returns {string} */
function rootOf(node) {
  let at = node;
  while (at.expression !== undefined) at = at.expression;
  return at.kind === SyntaxKind.Identifier ? String(at.text) : '';
}
