import { UserError } from '../../../schemas/errors.ts';
import type { Split } from '../dataset.ts';
import { type Recordings, checkRecordings, takeRecordings } from '../recordings.ts';

/** Recordings to judge on, by the values of a property, from … to inclusive. */
export interface HeldOut {
  readonly property: string;
  readonly ranges: readonly { readonly from: number; readonly to: number }[];
}

/** Reads `recording:5-9` or `speaker:4,7-8`. @returns undefined where the text is none */
export function parseHeldOut(text: string): HeldOut | undefined {
  const [, property, list] =
    /^([A-Za-z]\w*):(\d{1,9}(?:-\d{1,9})?(?:,\d{1,9}(?:-\d{1,9})?)*)$/.exec(text) ?? [];
  if (property === undefined) return undefined;
  const ranges = list!.split(',').map((range) => {
    const [from, to = from] = range.split('-').map(Number) as [number, number?];
    return { from, to };
  });
  return ranges.every(({ from, to }) => from <= to) ? { property, ranges } : undefined;
}

/**
 * One split of recordings: `test` is what is held out, `train` the rest.
 *
 * @throws UserError where they lack the property, or a split would be empty
 */
export function splitRecordings(recordings: Recordings, heldOut: HeldOut, split: Split): Recordings {
  const { name, count, properties } = recordings;
  const values = Object.hasOwn(properties, heldOut.property) ? properties[heldOut.property] : undefined;
  if (values === undefined) {
    throw new UserError(
      `data ${name}: test: recordings have no ${heldOut.property}; expected one of ${Object.keys(properties).join(', ') || 'none'}`,
    );
  }
  const isHeldOut = (place: number): boolean =>
    heldOut.ranges.some(({ from, to }) => values[place]! >= from && values[place]! <= to);
  const places = Array.from({ length: count }, (_, place) => place).filter(
    (place) => isHeldOut(place) === (split === 'test'),
  );
  if (places.length === 0) {
    throw new UserError(
      `data ${name}: test: ${split === 'test' ? 'holds out no recording' : 'leaves no recording to train on'} of ${count}; choose other values of ${heldOut.property}`,
    );
  }
  return checkRecordings(takeRecordings(recordings, Uint32Array.from(places)));
}
