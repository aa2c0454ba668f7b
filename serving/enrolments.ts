import { type CanarySpec, challengersOf, type VariantName } from '../models/contracts/deployment.ts';
import { armOf, type Enrolment, type SlateRecord } from '../models/contracts/slate.ts';
import { bucketOf, isOut, shareOf } from '../models/slate/assign.ts';

/** `challenger`: the artifact that answers where it is not the champion. */
export type Assignment = { variant: VariantName; challenger: string | null; enrolment: Enrolment | null };

/**
 * Who belongs to which variant of the running release. A unit is enrolled at its first request, at the share that is then in force, and
 * stays what it became until another release begins: a share that moves later moves nobody. Only where a challenger is out, beside others, its units are
 * the champion's again; they keep their enrolment.
 */
export type Enrolments = {
  assign(input: {
    canary: CanarySpec | null;
    unit: string | null;
    /** Of the visitor now: it counts at enrolment, and not after. */
    segment?: string;
    generation: number;
    nowMs: number;
    /** False while records cannot be written: an enrolment that would not outlive this process is not made, and the champion answers. */
    mayEnrol?: boolean;
  }): Assignment;
  /** A release begins, or goes on. */
  begin(releaseId: string): void;
  /** The release is over: what it needed is forgotten. */
  end(): void;
  size(): number;
  /** Who comes back is enrolled as anybody. */
  forget(units: readonly string[]): void;
  /** Takes an enrolment from the log. Of several the oldest counts. */
  restore(record: Pick<SlateRecord, 'releaseId' | 'unit' | 'enrolment'>): void;
};

const championAlone: Assignment = { variant: 'champion', challenger: null, enrolment: null };

/** @param releaseId the release whose enrolments `restore` is to take; others are passed over. */
export function createEnrolments({ releaseId = null }: { releaseId?: string | null } = {}): Enrolments {
  let release = releaseId;
  let units = new Map<string, Enrolment>();

  function begin(releaseId: string): void {
    if (releaseId === release) return;
    release = releaseId;
    units = new Map();
  }

  return {
    begin,

    assign({ canary, unit, segment, generation, nowMs, mayEnrol = true }) {
      // A visitor without user and session cannot be kept to a variant, so has none.
      if (canary === null || canary.mode !== 'canary' || unit === null) return championAlone;
      begin(canary.releaseId);
      let enrolment = units.get(unit);
      if (enrolment === undefined) {
        if (!mayEnrol) return championAlone;
        enrolment = {
          share: shareOf(canary, segment),
          ...(canary.rivals === undefined ? {} : { rivalShares: canary.rivals.map(({ share }) => share) }),
          bucket: bucketOf({ salt: canary.salt, unit }),
          atMs: nowMs,
          generation,
        };
        units.set(unit, enrolment);
      }
      const challenger = challengerOf(canary, enrolment);
      return { variant: challenger === null ? 'champion' : 'challenger', challenger, enrolment };
    },

    end() {
      release = null;
      units = new Map();
    },
    size: () => units.size,
    forget(gone) {
      for (const unit of gone) units.delete(unit);
    },

    restore(record) {
      if (record.enrolment === null || record.releaseId !== release) return;
      const known = units.get(record.unit);
      if (known === undefined || known.atMs > record.enrolment.atMs) units.set(record.unit, record.enrolment);
    },
  };
}

/** Whose the unit is now; null: the champion's. */
function challengerOf(canary: CanarySpec, enrolment: Enrolment): string | null {
  const own = challengersOf(canary)[armOf(enrolment) - 1];
  return own === undefined || isOut(canary, own.share) ? null : own.artifact;
}
