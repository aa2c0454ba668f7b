/** JSON pointers, with values. */
export type LargestDifference = { path: string; first: number; again: number; difference: number };

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** Members in the order of their names; of lists, of their places. */
function membersOf(before: Record<string, unknown>, after: Record<string, unknown>): string[] {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return Array.isArray(before) && Array.isArray(after) ? keys : keys.sort();
}

/** The first place where two documents differ, `/files/recommend.onnx: "a" became "b"`; undefined where they do not. */
export function firstDifference(before: unknown, after: unknown): string | undefined {
  if (!isObject(before) || !isObject(after)) return Object.is(before, after) ? undefined : `: ${shown(before)} became ${shown(after)}`;
  for (const key of membersOf(before, after)) {
    const inside = firstDifference(before[key], after[key]);
    if (inside !== undefined) return `/${key}${inside}`;
  }
  return undefined;
}

const shown = (value: unknown): string => {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 100 ? `${text.slice(0, 100)}...` : text;
};

/** Of the numbers that stand at the same place of two documents, the two that are farthest apart, and how many differ of how many. */
export function largestDifference(before: unknown, after: unknown): { largest: LargestDifference | null; differ: number; of: number } {
  const found = { largest: null as LargestDifference | null, differ: 0, of: 0 };
  const walk = (first: unknown, again: unknown, path: string): void => {
    if (typeof first === 'number' && typeof again === 'number') {
      found.of += 1;
      if (Object.is(first, again)) return;
      found.differ += 1;
      const difference = Math.abs(again - first);
      if (found.largest === null || difference > found.largest.difference) found.largest = { path, first, again, difference };
    } else if (isObject(first) && isObject(again)) for (const key of membersOf(first, again)) walk(first[key], again[key], `${path}/${key}`);
  };
  walk(before, after, '');
  return found;
}
