import { writeFile } from 'node:fs/promises';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { say } from '../output.ts';

/** @throws UND-FILE */
export async function writePicture(path: string, svg: string): Promise<void> {
  await writeFile(path, svg).catch((cause) => {
    throw new UnderstudyError('UND-FILE', `${path} cannot be written`, { cause });
  });
  say(`wrote ${path}`);
}
