import { InvalidArgumentError } from 'commander';
import type { Mend } from '../../models/contracts/mend.ts';

type Edits = Mend['edits'];

/** `column=value`; an empty value empties the cell. */
export function setEdit(text: string, before: Edits = []): Edits {
  const cut = text.indexOf('=');
  if (cut < 1) throw new InvalidArgumentError('It must be COLUMN=VALUE.');
  return [...before, { column: text.slice(0, cut), to: emptyIsNull(text.slice(cut + 1)) }];
}

/** `column:from=to`; an empty `from` is a cell that is empty. */
export function replaceEdit(text: string, before: Edits = []): Edits {
  const match = /^([^:]+):([^=]*)=(.*)$/s.exec(text);
  if (match === null) throw new InvalidArgumentError('It must be COLUMN:FROM=TO.');
  const [, column = '', from = '', to = ''] = match;
  return [...before, { column, from: emptyIsNull(from), to: emptyIsNull(to) }];
}

const emptyIsNull = (text: string): string | null => (text === '' ? null : text);
