/** How files are spoilt whatever they hold: arbitrary changes to bytes and to text. */
import fc from 'fast-check';

/** What becomes of the bytes of a file. */
export type Change = (bytes: Uint8Array) => Uint8Array;

/** A place in something that has so many, whatever their number. */
export const placeIn = (part: number, count: number): number => Math.min(Math.floor(part * count), count - 1);
export const part = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });

export const joined = (...parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

/** Numbers at which sizes, offsets and counts go wrong. */
export const edges = [
  0,
  1,
  -1,
  127,
  128,
  255,
  256,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 53,
  2 ** 63,
];

const flipped = fc
  .array(fc.tuple(part, fc.oneof(fc.nat(255), fc.constantFrom(0, 127, 128, 255))), {
    minLength: 1,
    maxLength: 8,
  })
  .map(
    (flips): Change =>
      (bytes) => {
        const changed = new Uint8Array(bytes);
        if (changed.length > 0) for (const [at, value] of flips) changed[placeIn(at, changed.length)] = value;
        return changed;
      },
  );

/** A whole number of 1, 2, 4 or 8 bytes, in either order, where sizes may stand: more often near the beginning. */
const numbered = fc
  .tuple(
    fc.oneof(
      part,
      part.map((at) => at ** 4),
    ),
    fc.constantFrom(1, 2, 4, 8),
    fc.boolean(),
    fc.constantFrom(...edges),
  )
  .map(
    ([at, width, isLittle, value]): Change =>
      (bytes) => {
        const changed = new Uint8Array(bytes);
        if (changed.length < 8) return changed;
        const word = Buffer.alloc(8);
        word.writeBigInt64LE(BigInt.asIntN(64, BigInt(value)));
        const written = word.subarray(0, width);
        changed.set(isLittle ? written : written.toReversed(), placeIn(at, changed.length - 7));
        return changed;
      },
  );

const cut = fc.tuple(part, fc.boolean()).map(
  ([at, isTail]): Change =>
    (bytes) => {
      const place = Math.floor(at * bytes.length);
      return isTail ? bytes.slice(0, place) : bytes.slice(place);
    },
);

const extended = fc.uint8Array({ maxLength: 64 }).map(
  (more): Change =>
    (bytes) =>
      joined(bytes, more),
);

/** A piece of the file put in, or written over, at another place of it. */
const spliced = fc.tuple(part, part, part, fc.boolean()).map(
  ([from, length, to, isInserted]): Change =>
    (bytes) => {
      const start = Math.floor(from * bytes.length);
      const piece = bytes.subarray(start, start + Math.ceil(length * length * bytes.length));
      const place = Math.floor(to * bytes.length);
      const after = isInserted ? place : Math.min(bytes.length, place + piece.length);
      return joined(bytes.subarray(0, place), piece, bytes.subarray(after));
    },
);

const replaced = fc.oneof(
  fc.constant(new Uint8Array()),
  fc.uint8Array({ maxLength: 200 }),
  fc.string({ unit: 'binary', maxLength: 100 }).map((text) => new TextEncoder().encode(text)),
  fc.constant(new Uint8Array(4096)),
);

/** Any change that knows nothing of the format. */
export const byteChange: fc.Arbitrary<Change> = fc.oneof(
  { weight: 4, arbitrary: flipped },
  { weight: 4, arbitrary: numbered },
  { weight: 3, arbitrary: cut },
  { weight: 1, arbitrary: extended },
  { weight: 2, arbitrary: spliced },
  {
    weight: 1,
    arbitrary: replaced.map(
      (bytes): Change =>
        () =>
          bytes,
    ),
  },
);

/** Words that mean something to who reads text, or to whom it is shown. */
export const words = [
  '',
  '0',
  '-1',
  '1e999',
  'NaN',
  '99999999999999999999',
  '0x10',
  'null',
  '__proto__',
  'constructor',
  '../../x',
  '/etc/passwd',
  '\0',
  '\u001B[2J\r',
  '\n\n',
  '\u2028',
  'ﾟ･✿',
  '\uD800',
  '{',
  '"',
  "'",
  ',',
  ':',
  'x'.repeat(5000),
];

/** Text in which words are put in or taken the place of others. */
export const textChange: fc.Arbitrary<Change> = fc.oneof(
  { weight: 1, arbitrary: byteChange },
  {
    weight: 3,
    arbitrary: fc
      .array(fc.tuple(part, fc.nat(12), fc.constantFrom(...words)), { minLength: 1, maxLength: 3 })
      .map(
        (edits): Change =>
          (bytes) => {
            let text = Buffer.from(bytes).toString('latin1');
            for (const [at, length, word] of edits) {
              const place = Math.floor(at * text.length);
              text = text.slice(0, place) + Buffer.from(word).toString('latin1') + text.slice(place + length);
            }
            return new Uint8Array(Buffer.from(text, 'latin1'));
          },
      ),
  },
);
