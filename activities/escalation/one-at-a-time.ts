const turns = new Map<string, Promise<unknown>>();

/**
 * Many at once who want the next number of one series would race for it, and all but one lose each time. Those of this process take turns; between processes the series
 * decides.
 */
export async function oneAtATime<T>(what: string, work: () => Promise<T>): Promise<T> {
  const turn = (turns.get(what) ?? Promise.resolve()).then(work);
  const settled = turn.catch(() => undefined);
  turns.set(what, settled);
  try {
    return await turn;
  } finally {
    if (turns.get(what) === settled) turns.delete(what);
  }
}
