import fc from 'fast-check';
import { UserError } from '../../schemas/errors.ts';

/** These bytes with up to three changed, often to the largest, and sometimes cut short or with bytes after them. */
export const mutationsOf = (bytes: Uint8Array): fc.Arbitrary<Uint8Array> =>
  fc
    .tuple(
      fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.oneof(fc.nat(255), fc.constantFrom(0, 127, 128, 255))), {
        minLength: 1,
        maxLength: 3,
      }),
      fc.oneof({ weight: 4, arbitrary: fc.constant(bytes.length) }, fc.nat(bytes.length + 9)),
    )
    .map(([changes, length]) => {
      const mutated = new Uint8Array(length);
      mutated.set(bytes.subarray(0, length));
      for (const [place, value] of changes) if (place < length) mutated[place] = value;
      return mutated;
    });

/** How often mutated bytes were taken and how often refused; any error but UserError fails. */
export interface Verdicts {
  taken: number;
  refused: number;
}

/** Reads mutations of the bytes: each must be taken, or refused by a UserError of one line. */
export async function readMutations(
  bytes: Uint8Array,
  read: (mutated: Uint8Array) => unknown,
  { numRuns = 400, seed = 1 } = {},
): Promise<Verdicts> {
  const verdicts: Verdicts = { taken: 0, refused: 0 };
  await fc.assert(
    fc.asyncProperty(mutationsOf(bytes), async (mutated) => {
      try {
        await read(mutated);
        verdicts.taken++;
      } catch (error) {
        if (!(error instanceof UserError) || error.message.includes('\n')) throw error;
        verdicts.refused++;
      }
    }),
    { seed, numRuns },
  );
  return verdicts;
}
