import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { z } from 'zod';

const written = { stdout: '', stderr: '' };
let exit: (string | number | null | undefined)[];
beforeEach(() => {
  vi.resetModules();
  Object.assign(written, { stdout: '', stderr: '' });
  exit = [];
  for (const stream of ['stdout', 'stderr'] as const)
    vi.spyOn(process[stream], 'write').mockImplementation((text) => {
      written[stream] += String(text);
      return true;
    });
  vi.spyOn(process, 'exit').mockImplementation((code) => {
    exit.push(code);
    return undefined as never;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** Each test has the modules to itself: what was answered is remembered in one of them. */
const load = async () => ({ ...(await import('./output.ts')), ...(await import('../models/contracts/problem.ts')) });

it('with --json a problem is the one document', async () => {
  const { exitWith, UnderstudyError } = await load();
  exitWith(new UnderstudyError('UND-GATE', 'refused'), { json: true });
  expect(JSON.parse(written.stdout)).toMatchObject({ code: 'UND-GATE', detail: 'refused' });
  expect(exit).toEqual([6]);
});

it('with --json an answer that is followed by a problem stays the one document, and the problem is told beside it', async () => {
  const { emit, exitWith, UnderstudyError } = await load();
  emit({ json: true, document: { equal: false }, text: '' });
  exitWith(new UnderstudyError('UND-RERUN-DIFFERS', 'it differs at artifact'), { json: true });
  expect(JSON.parse(written.stdout)).toEqual({ equal: false });
  expect(written.stderr).toContain('UND-RERUN-DIFFERS: it differs at artifact');
  expect(exit).toEqual([6]);
});

it.each<[what: string, error: () => unknown, code: string, exit: number]>([
  ['a state directory that is a file', () => Object.assign(new Error("ENOTDIR: not a directory, mkdir '/x'"), { code: 'ENOTDIR', path: '/x' }), 'UND-STATE', 7],
  ['a stored document that is another', () => z.object({ kind: z.literal('charter') }).safeParse({}).error, 'UND-STATE', 7],
  ['a defect', () => new TypeError('x is not a function'), 'UND-INTERNAL', 1],
])('%s has a code', async (_what, error, code, exitCode) => {
  const { exitWith } = await load();
  exitWith(error(), { json: true });
  expect(JSON.parse(written.stdout)).toMatchObject({ code });
  expect(exit).toEqual([exitCode]);
});
