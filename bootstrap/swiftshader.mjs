import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { building } from './building.mjs';
import { lastWords, runCommand } from './child.mjs';
import { withLock } from './lock.mjs';
import { SetupError } from './problem.mjs';

/** A package that carries SwiftShader, a GPU in software, among the parts of a browser. */
const requirement = '@sparticuz/chromium@153.0.0';
/** SHA-256 of its libvk_swiftshader.so, for x64 and Linux. */
const digest = '2f3ceffaaca7d031bc3943f8eacf398a5d9c42c5fe0d15d8840b9acfa630b58e';
const ways = 'Let npm reach its package registry. The package carries SwiftShader for Linux on x64 alone: tests of training on GPUs need that.';
/** As programs that use a GPU look for it: SwiftShader answers as a loader of drivers does, and then is the only one. */
const asLoader = 'libvulkan.so.1';

const home = (/** @type {string} */ cache) => join(cache, 'swiftshader', createHash('sha256').update(requirement).digest('hex').slice(0, 12));

/** The folder for LD_LIBRARY_PATH that makes SwiftShader the GPU of a process; nothing but tests needs it. @param {{ cache: string }} where */
export const swiftshaderFolder = ({ cache }) => home(cache);

/**
 * The same, had from the package registry where it is not there.
 * @param {{ cache: string, env: NodeJS.ProcessEnv }} where
 * @returns {Promise<string>}
 * @throws {SetupError} UND-SETUP saying why it cannot be had
 */
export async function ensureSwiftshader({ cache, env }) {
  const ready = () => existsSync(join(home(cache), asLoader));
  if (ready()) return home(cache);
  await withLock({ path: join(cache, 'locks', 'swiftshader.lock') }, async (childFile) => {
    if (ready()) return;
    await building(join(cache, 'swiftshader'), async (directory) => {
      const args = ['install', '--prefix', directory, '--ignore-scripts', '--no-save', '--no-audit', '--no-fund', requirement];
      const outcome = await runCommand('npm', args, { cwd: directory, env, timeoutMs: 600_000, childFile });
      const archive = join(directory, 'node_modules', '@sparticuz', 'chromium', 'bin', 'swiftshader.tar.br');
      if (!outcome.ok || !existsSync(archive)) throw cannot(`npm could not install ${requirement}: ${lastWords(outcome)}`);
      const library = fileOf(brotliDecompressSync(readFileSync(archive)), 'libvk_swiftshader.so');
      if (library === undefined || createHash('sha256').update(library).digest('hex') !== digest) throw cannot(`${requirement} does not hold what it held`);
      const made = join(directory, 'made');
      mkdirSync(made);
      writeFileSync(join(made, asLoader), library, { mode: 0o755 });
      rmSync(home(cache), { recursive: true, force: true });
      renameSync(made, home(cache));
    });
  });
  return home(cache);
}

const cannot = (/** @type {string} */ why) => new SetupError('UND-SETUP', `A GPU in software cannot be had: ${why}.`, ways);

const block = 512;

/** A file out of a tar archive: each is a block that says its name and size in octal, then its bytes in whole blocks. @param {Buffer} tar @param {string} name */
function fileOf(tar, name) {
  const text = (/** @type {number} */ from, /** @type {number} */ length) => tar.toString('latin1', from, from + length).replace(/\0.*$/s, '');
  for (let at = 0; at + block <= tar.length; ) {
    const size = Number.parseInt(text(at + 124, 12).trim() || '0', 8);
    if (text(at, 100).replace(/^\.\//, '') === name) return tar.subarray(at + block, at + block + size);
    at += block + Math.ceil(size / block) * block;
  }
  return undefined;
}
