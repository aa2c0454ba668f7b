/** One part that was looked at. */
export type Check = {
  name: string;
  /** `note`: not as it could be, and nothing needs it. */
  state: 'ok' | 'note' | 'failed';
  /** What was found. */
  found: string;
  /** What to do, where something is to do. */
  remedy: string | null;
};

export const ok = (name: string, found: string): Check => ({ name, state: 'ok', found, remedy: null });
export const note = (name: string, found: string, remedy: string): Check => ({ name, state: 'note', found, remedy });
export const failed = (name: string, found: string, remedy: string): Check => ({ name, state: 'failed', found, remedy });
