import { z } from 'zod';
import { asUnderstudyError, inputError, UnderstudyError } from '../models/contracts/problem.ts';

/** What the file system says of a directory that cannot be used; what else it says is a defect of ours. */
const unusable = new Set(['EACCES', 'EDQUOT', 'EEXIST', 'EIO', 'EISDIR', 'ELOOP', 'EMFILE', 'ENAMETOOLONG', 'ENFILE', 'ENOSPC', 'ENOTDIR', 'EPERM', 'EROFS']);

/**
 * The error in the terms of the table. Commands check what they are given themselves; what then comes out of the file system or does not fit
 * its schema came out of the state directory.
 */
export function codedError(error: unknown): UnderstudyError {
  if (error instanceof z.ZodError) return inputError('UND-STATE', 'A document in the state directory', error.issues);
  const { code, path } = error instanceof Error ? (error as NodeJS.ErrnoException) : {};
  if (code !== undefined && path !== undefined && unusable.has(code)) return new UnderstudyError('UND-STATE', (error as Error).message, { cause: error });
  return asUnderstudyError(error);
}
