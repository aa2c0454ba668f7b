import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ApprovalPolicy, Vote, VoteResult } from '../../models/contracts/release.ts';
import { openGenerationDirectory } from '../../stores/generations-directory.ts';
import { readLedger } from '../../stores/ledger.ts';
import type { Context } from '../context.ts';
import { recordVote, signVote } from './record-vote.ts';

let root: string;
let sequence = 0;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'understudy-votes-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const evidence = `sha256:${'e'.repeat(64)}`;
const stale = `sha256:${'f'.repeat(64)}`;
const policy: ApprovalPolicy = {
  approvers: [
    { name: 'lead', role: 'ml-lead' },
    { name: 'sre', role: 'sre' },
  ],
  votesNeeded: 2,
  remindAfterMs: 1,
  escalateAfterMs: 2,
  expireAfterMs: 3,
};

function contextWith(approverKeys: Record<string, string> = {}): Context {
  return { state: { generations: openGenerationDirectory({ root }) }, approverKeys } as unknown as Context;
}
const cast = (over: Partial<Vote> = {}): Vote => ({ decision: 'approve', by: 'lead', evidence, why: '', proof: { kind: 'unauthenticated' }, ...over });
function vote(one: Vote, over: { earlier?: VoteResult[]; open?: boolean; keys?: Record<string, string>; loosened?: string[] } = {}): Promise<VoteResult> {
  sequence += 1;
  const open = over.open ?? true;
  return recordVote(contextWith(over.keys), {
    surface: 'home',
    releaseId: 'r1',
    evidence: open ? evidence : null,
    policy: open ? { ...policy, loosened: over.loosened } : null,
    vote: one,
    earlier: over.earlier ?? [],
    sequence,
    atMs: 1,
  });
}

describe('votes', () => {
  it('needs both of four eyes', async () => {
    const first = await vote(cast());
    expect(first).toMatchObject({ accepted: true, outcome: 'waiting' });
    expect(await vote(cast({ by: 'sre' }), { earlier: [first] })).toMatchObject({ accepted: true, outcome: 'approved' });
  });

  it('refuses, with a code, and records the refusal', async () => {
    const first = await vote(cast());
    const refusals = [
      await vote(cast({ evidence: stale })),
      await vote(cast({ by: 'mallory' })),
      await vote(cast(), { earlier: [first] }),
      await vote(cast(), { open: false }),
      await vote({ ...cast(), decision: 'maybe' } as unknown as Vote),
    ];
    expect(refusals.map((one) => one.code)).toEqual(['UND-STALE-EVIDENCE', 'UND-NOT-APPROVER', 'UND-ALREADY-VOTED', 'UND-NO-REQUEST', 'UND-INPUT']);
    expect(refusals.every((one) => !one.accepted && one.outcome === 'waiting')).toBe(true);
    const ledger = await readLedger(openGenerationDirectory({ root }), 'home');
    expect(ledger.map((entry) => entry.action)).toEqual(['vote-approve', ...refusals.map(() => 'vote-refused')]);
  });

  it('wants the signature of an approver who has a key, over exactly this vote', async () => {
    const keys = { lead: 'a key of the lead' };
    const signature = signVote(keys.lead, { releaseId: 'r1', decision: 'approve', by: 'lead', evidence });
    expect(await vote(cast(), { keys })).toMatchObject({ accepted: false, code: 'UND-UNAUTHORIZED' });
    expect(await vote(cast({ proof: { kind: 'hmac-sha256', signature } }), { keys })).toMatchObject({ accepted: true });
    expect(await vote(cast({ decision: 'reject', proof: { kind: 'hmac-sha256', signature } }), { keys })).toMatchObject({
      accepted: false,
      code: 'UND-UNAUTHORIZED',
    });
    // A name without a key is no way around the others' signatures.
    expect(await vote(cast({ by: 'sre' }), { keys })).toMatchObject({ accepted: false, code: 'UND-UNAUTHORIZED' });
  });

  it('takes an approval of a loosened gate only from one who says that it is meant, and signs it', async () => {
    const keys = { lead: 'a key of the lead' };
    const loosened = ['/gates/minUsers'];
    const signed = (over: Partial<Vote>, text: Partial<Vote> = over) => {
      const one = cast(over);
      return { ...one, proof: { kind: 'hmac-sha256' as const, signature: signVote(keys.lead, { releaseId: 'r1', ...one, ...text }) } };
    };
    expect(await vote(signed({}), { keys, loosened })).toMatchObject({ accepted: false, code: 'UND-LOOSENED', message: expect.stringContaining('minUsers') });
    const slipped = signed({ acceptsLoosened: true }, { acceptsLoosened: false });
    expect(await vote(slipped, { keys, loosened })).toMatchObject({ accepted: false, code: 'UND-UNAUTHORIZED' });
    expect(await vote(signed({ acceptsLoosened: true }), { keys, loosened })).toMatchObject({ accepted: true });
    expect(await vote(signed({ decision: 'reject' }), { keys, loosened })).toMatchObject({ accepted: true, outcome: 'rejected' });
    expect((await readLedger(openGenerationDirectory({ root }), 'home')).at(-1)).toMatchObject({ action: 'vote-reject', by: 'lead' });
  });

  it('keeps keys out of the ledger', async () => {
    await vote(
      cast({ proof: { kind: 'hmac-sha256', signature: signVote('a key of the lead', { releaseId: 'r1', decision: 'approve', by: 'lead', evidence }) } }),
      { keys: { lead: 'a key of the lead' } },
    );
    expect(JSON.stringify(await readLedger(openGenerationDirectory({ root }), 'home'))).not.toContain('a key of the lead');
  });

  it('lets one rejection decide', async () => {
    expect(await vote(cast({ decision: 'reject', why: 'coverage' }))).toMatchObject({
      accepted: true,
      outcome: 'rejected',
      message: expect.stringContaining('coverage'),
    });
  });
});
