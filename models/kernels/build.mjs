/**
 * Compiles `assembly/` into `kernels.wasm.ts`: the bytes stand in the sources, so that nobody who trains needs the compiler. With `--check` it only says whether
 * they are what the sources give.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const folder = fileURLToPath(new URL('.', import.meta.url));
const target = join(folder, 'kernels.wasm.ts');
const features = ['simd', 'threads', 'bulk-memory', 'relaxed-simd'].flatMap((name) => ['--enable', name]);

/** What the others import, and nobody calls from outside. */
const shared = ['lanes.ts', 'tiles.ts'];

/** @param {0 | 1} fused @returns {Promise<string>} base64 */
async function compile(fused) {
  const sources = readdirSync(join(folder, 'assembly')).filter((name) => name.endsWith('.ts') && !shared.includes(name));
  /** @type {Buffer | undefined} */
  let bytes;
  const { error, stderr } = await asc.main(
    [
      ...[...sources.sort(), ...features, '-O3', '--noAssert', '--runtime', 'stub', '--importMemory', '--sharedMemory'],
      ...['--initialMemory', '2', '--maximumMemory', '65536', '--use', `FUSED=${fused}`, '--outFile', 'kernels.wasm'],
    ],
    {
      readFile: (/** @type {string} */ name, /** @type {string} */ base) => {
        try {
          return readFileSync(join(folder, 'assembly', base === '.' || base === '' ? name : join(base, name)), 'utf8');
        } catch {
          return null;
        }
      },
      writeFile: (/** @type {string} */ name, /** @type {string | Uint8Array} */ content) => {
        if (name.endsWith('.wasm')) bytes = Buffer.from(content);
      },
      listFiles: () => [],
    },
  );
  if (error !== null || bytes === undefined) throw new Error(`The kernels cannot be compiled: ${error?.message ?? ''}\n${stderr.toString()}`);
  return bytes.toString('base64');
}

const text = `// Made by build.mjs from assembly/; not to be changed by hand.

/** Each product and sum rounded by itself: the same bits on every machine. */
export const exactKernels =
  '${await compile(0)}';

/** Products added in one rounding where the hardware can: faster there, and other bits. */
export const fusedKernels =
  '${await compile(1)}';
`;
if (!process.argv.includes('--check')) writeFileSync(target, text);
else if (readFileSync(target, 'utf8') !== text) {
  process.stdout.write('models/kernels/kernels.wasm.ts is not what models/kernels/assembly/ gives: node models/kernels/build.mjs\n');
  process.exitCode = 1;
}
