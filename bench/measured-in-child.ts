import { spawn } from 'node:child_process';
import { basename } from 'node:path';

/** What a file of this folder prints as JSON when it runs by itself: so its memory is its own. */
export function measuredInChild<T>({ file, argument }: { file: string; argument: string }): Promise<T> {
  const child = spawn(process.execPath, [file, argument], { stdio: ['ignore', 'pipe', 'inherit'] });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) =>
      code === 0 ? resolve(JSON.parse(Buffer.concat(chunks).toString('utf8')) as T) : reject(new Error(`${basename(file, '.ts')} ended with ${code}`)),
    );
  });
}
