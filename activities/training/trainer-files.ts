import { constants } from 'node:fs';
import { lstat, open, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { UnderstudyError } from '../../models/contracts/problem.ts';

const refuse = (message: string, cause?: unknown): never => {
  throw new UnderstudyError('UND-ARTIFACT', message, { cause });
};

/**
 * The folder `out` of a job, once it is known to be one and to lie where it should: whoever trains may write into the job's folder as they like.
 * @throws UND-ARTIFACT
 */
export async function outFolder(job: string): Promise<string> {
  const out = join(job, 'out');
  const found = await lstat(out).catch((cause) => refuse('The trainer left no folder out/', cause));
  if (!found.isDirectory()) refuse('out/ is no folder of its own');
  if ((await realpath(out)) !== join(await realpath(job), 'out')) refuse('out/ lies outside of the folder of its job');
  return out;
}

/** Whether something of that name is there, whatever it is. */
export const isThere = async (folder: string, name: string): Promise<boolean> =>
  lstat(join(folder, name)).then(
    () => true,
    () => false,
  );

/**
 * The bytes of a file of the folder: no link to another one, no device, and no more than is read of any.
 * @throws UND-ARTIFACT naming it
 */
export async function readOwnFile(
  folder: string,
  name: string,
  limits: { maxBytes: number; bytes?: { count: number; why: string } },
): Promise<Buffer<ArrayBuffer>> {
  // Without waiting: a pipe that nobody writes to would be waited for.
  const handle = await open(join(folder, name), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch((cause) => {
    const { code } = cause as NodeJS.ErrnoException;
    return refuse(code === 'ENOENT' ? `out/ lacks ${name}` : code === 'ELOOP' ? `out/${name} is a link` : `out/${name} cannot be read: ${code}`, cause);
  });
  try {
    const found = await handle.stat();
    if (!found.isFile()) refuse(`out/${name} is no file`);
    if (found.size === 0 || found.size > limits.maxBytes) refuse(`out/${name} has ${found.size} bytes: it must have 1 to ${limits.maxBytes}`);
    const { bytes } = limits;
    if (bytes !== undefined && found.size !== bytes.count) refuse(`out/${name} has ${found.size} bytes, and ${bytes.why} are ${bytes.count}`);
    const read = Buffer.alloc(found.size);
    for (let at = 0; at < read.length; ) {
      const { bytesRead } = await handle.read(read, at, read.length - at, at);
      if (bytesRead === 0) refuse(`out/${name} became shorter while it was read`);
      at += bytesRead;
    }
    return read;
  } finally {
    await handle.close();
  }
}
