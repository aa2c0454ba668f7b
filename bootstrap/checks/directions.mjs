/** Import directions, installed packages, tests imported by others, barrels, cycles. */
import { SyntaxKind } from 'typescript/unstable/ast';
import { directions, reExportsAllowed, testRow } from './import-table.mjs';
import { importsOf, isTest, isWithin } from './source-tree.mjs';

/** @typedef {import('./source-tree.mjs').Import} Import */
/** @typedef {import('./source-tree.mjs').Violation} Violation */

/** @param {import('./source-tree.mjs').Tree} tree @returns {Violation[]} */
export function checkDirections(tree) {
  const imports = new Map(tree.modules.map((module) => [module.path, importsOf(module)]));
  const found = tree.modules.flatMap((module) => [...(imports.get(module.path) ?? []).flatMap((one) => judge(module.path, one)), ...barrel(module)]);
  return [...found, ...tree.modules.flatMap(({ path }) => (isTest(path) || rowOf(path) ? [] : [homeless(path)])), ...cycles(imports)];
}

const rowOf = (/** @type {string} */ path) => directions.find((row) => isWithin(path, row.folder));

const homeless = (/** @type {string} */ path) => ({
  at: path,
  message: 'no room holds this file: put it into one of those in ARCHITECTURE.md, or give its folder a row in bootstrap/checks/import-table.mjs',
});

/** @returns {Violation[]} */
function judge(/** @type {string} */ path, /** @type {Import} */ { specifier, target, line, typeOnly }) {
  const at = `${path}:${line}`;
  if (isTest(path)) return [];
  const row = rowOf(path);
  if (row === undefined) return [];
  if (target === undefined) {
    if (row.packages.some((name) => ownsPackage(name, specifier))) return [];
    return [{ at, message: `${row.folder} may not import the package ${specifier}. ${row.instead}` }];
  }
  if (isTest(target)) return [{ at, message: `${target} is for tests, and this is none. Move what both need to a file of its own beside it.` }];
  if (row.may.some((place) => isWithin(target, place))) return [];
  if (row.types?.some((place) => isWithin(target, place))) {
    if (typeOnly) return [];
    return [{ at, message: `${row.folder} may import only types from ${target}: write \`import type\`. ${row.instead}` }];
  }
  return [{ at, message: `${row.folder} may not import ${target}. ${row.instead}` }];
}

function ownsPackage(/** @type {string} */ name, /** @type {string} */ specifier) {
  return name === '*' || (name === 'node:*' ? specifier.startsWith('node:') : isWithin(specifier, name));
}

/**
 * A barrel makes every importer load everything, and hides from this check who needs what.
 * @param {import('./source-tree.mjs').Module} module @returns {Violation[]}
 */
function barrel({ path, ast, lineOf }) {
  if (path in reExportsAllowed) return [];
  const passedOn = ast.statements.filter((/** @type {any} */ one) => one.kind === SyntaxKind.ExportDeclaration && one.moduleSpecifier !== undefined);
  const [first] = passedOn;
  const star = passedOn.find((/** @type {any} */ one) => one.exportClause === undefined);
  const onlyPasses = ast.statements.every((/** @type {any} */ one) => one.kind === SyntaxKind.ImportDeclaration || passedOn.includes(one));
  const at = star ?? (first !== undefined && onlyPasses ? first : undefined);
  if (at === undefined) return [];
  return [{ at: `${path}:${lineOf(at)}`, message: 'a barrel: it passes on what other files export. Let importers name the file where a thing stands.' }];
}

/**
 * Circles of files that load each other. Type imports are left out: they are gone when the code runs, and a type that two files share is
 * often clearest beside the one that makes it. Room against room, types obey the directions like values.
 * @param {Map<string, Import[]>} imports @returns {Violation[]}
 */
function cycles(imports) {
  const edges = new Map([...imports].map(([path, all]) => [path, all.filter((one) => !one.typeOnly && one.target !== undefined && imports.has(one.target))]));
  /** @type {Violation[]} */
  const found = [];
  /** @type {Set<string>} */
  const done = new Set();
  const follow = (/** @type {string} */ path, /** @type {string[]} */ trail) => {
    for (const { target, line } of edges.get(path) ?? []) {
      if (target === undefined || done.has(target)) continue;
      const start = trail.indexOf(target);
      if (start < 0) follow(target, [...trail, target]);
      else found.push({ at: `${path}:${line}`, message: circle([...trail.slice(start), target]) });
    }
    done.add(path);
  };
  for (const path of edges.keys()) if (!done.has(path)) follow(path, [path]);
  return found;
}

const circle = (/** @type {string[]} */ trail) =>
  `these import each other in a circle: ${trail.join(' → ')}. Move what two of them share to a file that imports neither.`;
