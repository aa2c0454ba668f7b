import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ensureMlflow, findMlflow } from './mlflow.mjs';
import { bareMachine, writeProgram } from './testing.ts';

type Machine = ReturnType<typeof bareMachine>;

/**
 * A Python that can do what the test lets it: `minor` is its version, `venv`, `uv` and `pip` whether that works, `imports` whether MLflow
 * does once it is installed.
 */
function python(machine: Machine, { minor = 12, venv = true, uv = true, pip = true, imports = true } = {}): void {
  const inVenv = [
    'echo "venv-python $*" >> "$CALLS"',
    'case "$*" in',
    `  "-m pip install --quiet uv") ${uv ? `printf '#!/bin/sh\\necho "venv-uv $*" >> "$CALLS"\\n' > "$(/usr/bin/dirname "$0")/uv"; /bin/chmod +x "$(/usr/bin/dirname "$0")/uv"` : 'echo "ERROR: no uv for this platform"; exit 1'};;`,
    `  "-m pip install"*) ${pip ? 'exit 0' : 'echo "ERROR: Could not find a version that satisfies the requirement mlflow"; exit 1'};;`,
    `  -c*) ${imports ? 'echo "mlflow 3.17.0"' : 'echo "ModuleNotFoundError: No module named mlflow"; exit 1'};;`,
    'esac',
  ].join('\n');
  writeProgram(join(machine.home, 'venv-python'), inVenv);
  const makeVenv = `for last; do :; done; /bin/mkdir -p "$last/bin"; /bin/cp ${machine.home}/venv-python "$last/bin/python"`;
  machine.program('python3', `case "$*" in -c*) echo ${minor};; "-m venv"*) ${venv ? makeVenv : 'echo "Error: ensurepip is not available"; exit 1'};; esac`);
  writeProgram(join(machine.home, 'make-venv'), makeVenv);
}

const uvOnPath = (machine: Machine, { installs = true } = {}) =>
  machine.program('uv', `case "$1" in venv) ${machine.home}/make-venv "$@";; pip) ${installs ? 'exit 0' : 'echo "error: no such index"; exit 2'};; esac`);

describe('the search for MLflow', () => {
  it('makes a virtual environment with the uv that is there, and a second start does nothing', async () => {
    const machine = bareMachine();
    python(machine);
    uvOnPath(machine);
    const path = await ensureMlflow(machine.setup);
    expect(path.startsWith(join(machine.cache, 'mlflow', 'venv-'))).toBe(true);
    const calls = machine.calls();
    expect(calls.find((call) => call.startsWith('uv pip install'))).toContain('mlflow==3.17.0');
    expect(calls.some((call) => call.includes('-m pip'))).toBe(false);
    expect(await ensureMlflow(machine.setup)).toBe(path);
    expect(findMlflow(machine)).toBe(path);
    expect(machine.calls()).toEqual(calls);
  });

  it('has pip bring uv where there is none', async () => {
    const machine = bareMachine();
    python(machine);
    await ensureMlflow(machine.setup);
    expect(machine.calls().some((call) => call.startsWith('venv-uv pip install'))).toBe(true);
  });

  it.each([
    ['uv cannot be had', { uv: false }, false],
    ['uv fails', {}, true],
  ])('uses pip where %s', async (_what, python_, failingUv) => {
    const machine = bareMachine();
    python(machine, python_);
    if (failingUv) uvOnPath(machine, { installs: false });
    await ensureMlflow(machine.setup);
    expect(machine.calls().some((call) => /^venv-python -m pip install .*mlflow==/.test(call))).toBe(true);
  });

  it('has uv make the environment where Python lacks venv', async () => {
    const machine = bareMachine();
    python(machine, { venv: false });
    uvOnPath(machine);
    expect(existsSync(await ensureMlflow(machine.setup))).toBe(true);
  });

  it.each([
    ['there is no Python', undefined, ['no Python 3.10', 'uv is not on PATH']],
    ['Python is too old', { minor: 9 }, ['no Python 3.10']],
    ['Python lacks venv and there is no uv', { venv: false }, ['ensurepip', 'uv is not on PATH']],
    ['there is no package index', { uv: false, pip: false }, ['Could not find a version']],
    ['it does not import', { imports: false }, ['does not import', 'ModuleNotFoundError']],
  ])('says why, names every way and keeps nothing when %s', async (_what, can, parts) => {
    const machine = bareMachine();
    if (can !== undefined) python(machine, can);
    const error = (await ensureMlflow(machine.setup).catch((thrown: unknown) => thrown)) as { code: string; message: string; remedy: string };
    expect(error.code).toBe('UND-MLFLOW');
    for (const part of parts) expect(error.message).toContain(part);
    for (const part of ['MLFLOW_TRACKING_URI', 'Python 3.10', 'uv', 'pip']) expect(error.remedy).toContain(part);
    expect(findMlflow(machine)).toBeUndefined();
    expect(readdirSync(join(machine.cache, 'mlflow'))).toEqual([]);
  });

  it('does not take what an interrupted install left for an environment', async () => {
    const machine = bareMachine();
    python(machine);
    uvOnPath(machine);
    const path = await ensureMlflow(machine.setup);
    const name = path.split('/').at(-3) ?? '';
    const half = bareMachine();
    python(half);
    uvOnPath(half);
    writeProgram(join(half.cache, 'mlflow', 'building.1', 'bin', 'python'), 'exit 1');
    writeProgram(join(half.cache, 'mlflow', name, 'bin', 'python'), 'exit 1');
    expect(findMlflow(half)).toBeUndefined();
    await ensureMlflow(half.setup);
    expect(half.calls().some((call) => call.startsWith('uv pip install'))).toBe(true);
    expect(readdirSync(join(half.cache, 'mlflow'))).toEqual([name]);
  });
});
