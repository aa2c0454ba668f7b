/** The tree that the checks look at: every file of the project, and the syntax of every .ts and .mjs file, parsed once for all checks. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { SyntaxKind } from 'typescript/unstable/ast';
// TypeScript 7 calls its parser's interface unstable; package-lock.json pins it, and bootstrap/checks/*.test.ts say when it changed.
import { API } from 'typescript/unstable/sync';

/** @typedef {import('typescript/unstable/ast').Node} Node */
/** @typedef {import('typescript/unstable/ast').SourceFile} SourceFile */
/** @typedef {{ path: string, text: string, ast: SourceFile, lineOf: (node: Node) => number }} Module `path` from the root, with slashes */
/** @typedef {{ root: string, paths: readonly string[], text: (path: string) => string, modules: readonly Module[] }} Tree */
/** @typedef {{ at: string, message: string }} Violation `at` is `file:line`, or the file alone where the whole file is meant */

/** What is installed, made or fetched, and never ours. */
const leftOut = new Set(['node_modules', 'coverage', 'dist', '__pycache__']);

/** @param {string} root @returns {Tree} */
export function readTree(root) {
  const paths = list(root, '').sort();
  /** @type {Map<string, string>} */
  const texts = new Map();
  const text = (/** @type {string} */ path) => {
    const known = texts.get(path) ?? readFileSync(join(root, path), 'utf8');
    texts.set(path, known);
    return known;
  };
  const code = paths.filter((path) => /\.(ts|mts|mjs|js)$/.test(path));
  return { root, paths, text, modules: parse(root, code, text) };
}

/** @returns {string[]} */
function list(/** @type {string} */ root, /** @type {string} */ folder) {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(folder, entry.name);
    // Folders that begin with a dot are state, caches and git; .github holds workflows of the project.
    if (entry.isDirectory()) return leftOut.has(entry.name) || (entry.name.startsWith('.') && entry.name !== '.github') ? [] : list(root, path);
    return entry.isFile() ? [path] : [];
  });
}

/**
 * One configuration that exists nowhere but here names all files and resolves nothing, so this is parsing alone.
 * @returns {Module[]}
 */
function parse(/** @type {string} */ root, /** @type {string[]} */ paths, /** @type {Tree['text']} */ text) {
  const config = join(root, 'tsconfig.checks.json');
  const compilerOptions = { allowJs: true, checkJs: false, noLib: true, noResolve: true, types: [], module: 'esnext', target: 'esnext', noEmit: true };
  const configText = JSON.stringify({ compilerOptions, files: paths.map((path) => `./${path}`) });
  const only = (/** @type {string} */ file) => file === config;
  const api = new API({ cwd: root, fs: { readFile: (file) => (only(file) ? configText : undefined), fileExists: (file) => (only(file) ? true : undefined) } });
  try {
    const project = api.updateSnapshot({ openProjects: [config] }).getProject(config);
    if (project === undefined) throw new Error('TypeScript did not open the list of files');
    return paths.map((path) => {
      const ast = project.program.getSourceFile(join(root, path));
      if (ast === undefined) throw new Error(`TypeScript did not parse ${path}`);
      const starts = ast.getLineStarts();
      return { path, text: text(path), ast, lineOf: (node) => lineAt(starts, node.getStart(ast)) };
    });
  } finally {
    api.close();
  }
}

/** @param {readonly number[]} starts @param {number} position @returns {number} one-based */
export function lineAt(starts, position) {
  let [low, high] = [0, starts.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((starts[middle] ?? 0) <= position) low = middle;
    else high = middle - 1;
  }
  return low + 1;
}

/** Every node below, outer ones first. @param {Node} node @param {(node: Node) => void} visit */
export function walk(node, visit) {
  node.forEachChild((child) => {
    visit(child);
    walk(child, visit);
  });
}

/** Tools that make what tests are given, kept beside those tests. */
const testTools = new Set(['workflows/record-histories.ts']);

/** Tests and what only tests use. @param {string} path */
export function isTest(path) {
  return testTools.has(path) || /\.test\.ts$/.test(path) || posix.basename(path) === 'testing.ts' || path.startsWith('test/') || path.startsWith('bench/');
}

/** @param {string} path @param {string} place a folder or a file */
export function isWithin(path, place) {
  return path === place || path.startsWith(`${place}/`);
}

/**
 * @typedef {{ specifier: string, target: string | undefined, line: number, typeOnly: boolean, names: string[] }} Import
 * `target` is the path from the root of what lies in the tree, undefined for a package
 */

/** Static, dynamic and type imports, and re-exports. An import whose name is computed cannot be known and is left out. @param {Module} module @returns {Import[]} */
export function importsOf(module) {
  /** @type {Import[]} */
  const imports = [];
  const add = (/** @type {Node} */ at, /** @type {any} */ literal, /** @type {boolean} */ typeOnly, /** @type {string[]} */ names = []) => {
    if (literal === undefined || (literal.kind !== SyntaxKind.StringLiteral && literal.kind !== SyntaxKind.NoSubstitutionTemplateLiteral)) return;
    const specifier = String(literal.text);
    const target = specifier.startsWith('.') ? posix.join(posix.dirname(module.path), specifier) : undefined;
    imports.push({ specifier, target, line: module.lineOf(at), typeOnly, names });
  };
  walk(module.ast, (/** @type {any} */ node) => {
    if (node.kind === SyntaxKind.ImportDeclaration) add(node, node.moduleSpecifier, onlyTypes(node.importClause), namesOf(node.importClause));
    else if (node.kind === SyntaxKind.ExportDeclaration) add(node, node.moduleSpecifier, onlyTypes(node), []);
    else if (node.kind === SyntaxKind.ImportType) add(node, node.argument?.literal, true);
    else if (node.kind === SyntaxKind.CallExpression && node.expression.kind === SyntaxKind.ImportKeyword) add(node, node.arguments[0], false);
  });
  return imports;
}

/** `import type`, `export type`, or nothing but `type` names; `import './x.ts'` runs x.ts and is no type. @param {any} clause */
function onlyTypes(clause) {
  if (clause === undefined) return false;
  if (clause.isTypeOnly || clause.phaseModifier === SyntaxKind.TypeKeyword) return true;
  const elements = (clause.namedBindings ?? clause.exportClause)?.elements;
  return clause.name === undefined && elements !== undefined && elements.length > 0 && elements.every((/** @type {any} */ one) => one.isTypeOnly);
}

/** What is taken from the module by name; `*` for all of it. @param {any} clause @returns {string[]} */
function namesOf(clause) {
  if (clause === undefined) return [];
  const named = clause.namedBindings?.elements?.map((/** @type {any} */ one) => String((one.propertyName ?? one.name).text)) ?? [];
  const whole = clause.name !== undefined || (clause.namedBindings !== undefined && clause.namedBindings.elements === undefined);
  return whole ? ['*', ...named] : named;
}
