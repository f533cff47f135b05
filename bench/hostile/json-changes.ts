/** How JSON is spoilt: trees near what they were, in files of JSON and in the headers that formats have. */
import fc from 'fast-check';
import { byteChange, type Change, edges, joined, part, placeIn, textChange, words } from './changes.ts';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const oddNumbers = [...edges, 0.5, -0.5, 1e-300, 1e300, 2, 3, 7, 64];
const scalar: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom<Json>(null, true, false),
  fc.constantFrom<Json>(...oddNumbers),
  fc.constantFrom<Json>(...words),
  fc.string({ unit: 'binary', maxLength: 20 }),
);
const someJson: fc.Arbitrary<Json> = fc.oneof(
  { weight: 3, arbitrary: scalar },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Json> },
  { weight: 1, arbitrary: fc.array(scalar, { maxLength: 4 }) },
  { weight: 1, arbitrary: fc.constant<Json>(Array<Json>(5000).fill(1)) },
);

/** One edit of a tree, told so that it fits every tree. */
const edit = fc.tuple(
  part,
  fc.constantFrom('value', 'remove', 'rename', 'add', 'wrap', 'copy', 'deep'),
  someJson,
  fc.constantFrom(...words, 'layers', 'kind', 'units', 'shape', 'dtype'),
  part,
);
type Edit = typeof edit extends fc.Arbitrary<infer Value> ? Value : never;

/** Where something stands in a tree. */
interface Place {
  readonly inside: Json[] | { [key: string]: Json };
  readonly key: string;
}

function placesIn(tree: Json, found: Place[] = []): Place[] {
  if (typeof tree !== 'object' || tree === null) return found;
  for (const [key, value] of Object.entries(tree)) {
    found.push({ inside: tree, key });
    placesIn(value, found);
  }
  return found;
}

const at = ({ inside, key }: Place): Json => (inside as Record<string, Json>)[key] as Json;

/** Own keys alone: a tree has `__proto__` as any other. */
function put({ inside, key }: Place, value: Json): void {
  Object.defineProperty(inside, key, { value, enumerable: true, configurable: true, writable: true });
}

function applyEdit(tree: Json, [where, what, given, name, other]: Edit): Json {
  // What is put into a tree is edited with it, and stands in other edits, too.
  const value = structuredClone(given);
  const places = placesIn(tree);
  const place = places[placeIn(where, places.length)];
  if (!place) return value;
  const { inside, key } = place;
  switch (what) {
    case 'remove':
      if (Array.isArray(inside)) inside.splice(Number(key), 1);
      else delete inside[key];
      break;
    case 'rename':
      // A list has no names: one called `constructor` would make it none.
      if (Array.isArray(inside)) break;
      put({ inside, key: name }, at(place));
      delete inside[key];
      break;
    case 'add':
      put({ inside, key: Array.isArray(inside) ? String(inside.length) : name }, value);
      break;
    case 'wrap':
      put(place, other < 0.5 ? [at(place)] : { [name]: at(place) });
      break;
    case 'copy':
      put(place, structuredClone(at(places[placeIn(other, places.length)] ?? place)));
      break;
    case 'deep': {
      let deep: Json = value;
      for (let depth = 0; depth < 20_000 * other; depth++) deep = [deep];
      put(place, deep);
      break;
    }
    default:
      put(place, value);
  }
  return tree;
}

/** JSON near what it was, as a tree. */
const treeEdits = fc.array(edit, { minLength: 1, maxLength: 3 });

/** JSON text of a tree that may nest deeper than `JSON.stringify` goes. */
function textOf(tree: Json): string {
  try {
    return JSON.stringify(tree);
  } catch {
    return '['.repeat(20_000) + ']'.repeat(20_000);
  }
}

function edited(text: string, edits: readonly Edit[]): string {
  let tree = JSON.parse(text) as Json;
  for (const each of edits) {
    try {
      tree = applyEdit(tree, each);
    } catch (error) {
      // What nests too deep to be walked through is deep enough.
      if (!(error instanceof RangeError)) throw error;
    }
  }
  return textOf(tree);
}

/** A file of JSON: most often a tree near what it was, else text or bytes that were spoilt. */
export const jsonChange: fc.Arbitrary<Change> = fc.oneof(
  {
    weight: 6,
    arbitrary: treeEdits.map(
      (edits): Change =>
        (bytes) =>
          new TextEncoder().encode(edited(new TextDecoder().decode(bytes), edits)),
    ),
  },
  { weight: 1, arbitrary: textChange },
  {
    weight: 1,
    arbitrary: fc.jsonValue({ maxDepth: 5 }).map(
      (tree): Change =>
        () =>
          new TextEncoder().encode(JSON.stringify(tree)),
    ),
  },
);

/** Changes JSON given as text, and keeps it JSON. */
export const jsonTextChange: fc.Arbitrary<(text: string) => string> = treeEdits.map(
  (edits) => (text) => edited(text, edits),
);

/** Safetensors whose header, JSON behind its length, is another tree; now and then with a length that is wrong. */
export const safetensorsChange: fc.Arbitrary<Change> = fc.oneof(
  { weight: 1, arbitrary: byteChange },
  {
    weight: 3,
    arbitrary: fc.tuple(treeEdits, fc.constantFrom(0, 0, 0, 1, -1, 8, 2 ** 31)).map(
      ([edits, off]): Change =>
        (bytes) => {
          const size = Number(Buffer.from(bytes).readBigUInt64LE(0));
          const text = edited(Buffer.from(bytes.subarray(8, 8 + size)).toString(), edits);
          const header = Buffer.from(text);
          const length = Buffer.alloc(8);
          length.writeBigUInt64LE(BigInt(Math.max(0, header.length + off)));
          return joined(length, header, bytes.subarray(8 + size));
        },
    ),
  },
);
