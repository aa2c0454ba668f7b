import { vi } from 'vitest';

/** What a command writes to stdout; what it says beside that is nobody's. */
export async function writtenBy(command: () => Promise<unknown>): Promise<string> {
  const written: string[] = [];
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => written.push(String(text)) > 0),
    vi.spyOn(process.stderr, 'write').mockReturnValue(true),
  ];
  try {
    await command();
    return written.join('');
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}
