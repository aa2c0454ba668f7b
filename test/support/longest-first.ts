import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Whole loops that wait for traffic: one that began last would run alone. */
const long = [
  'test/story/story.test.ts',
  'test/crash.test.ts',
  'workflows/release/release.test.ts',
  'workflows/release/rivals.test.ts',
  'workflows/rerun.test.ts',
];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const placeOf = ({ moduleId }: TestSpecification) => {
      const place = long.findIndex((path) => moduleId.endsWith(path));
      return place === -1 ? long.length : place;
    };
    return sorted.sort((one, other) => one.project.config.sequence.groupOrder - other.project.config.sequence.groupOrder || placeOf(one) - placeOf(other));
  }
}
