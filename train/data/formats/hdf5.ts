import type { Metadata } from 'h5wasm';
import { UserError, reasonOf } from '../../../schemas/errors.ts';
import { elementReaders, type ElementReader } from './elements.ts';
import { openHdf5Source } from './hdf5-source.ts';

/** Of one dataset: more than any set of recordings has, and few enough to hold a number for each. */
const mostElements = 2 ** 24;

/** What HDF5 calls its classes of types. */
const classes = { integer: 0, float: 1, string: 3, ragged: 9 } as const;

/** Of a string, in bytes. */
const longestName = 1024;

/** In the library's memory a ragged element is its length and its address, 32 bits each. */
const raggedSize = 8;

/** A file open for reading. Every function throws UserError where the file is not so. */
export interface Hdf5 {
  /** What is in a group of the root; nothing where there is no such group. */
  readonly names: (group: string) => readonly string[];
  /** A dataset of numbers with one axis; undefined where it holds something else. */
  readonly numbers: (path: string) => Float64Array | undefined;
  /** A dataset of strings with one axis. */
  readonly strings: (path: string) => readonly string[];
  /** How many sequences a ragged dataset of numbers holds. */
  readonly raggedLength: (path: string) => number;
  /** The sequences start … start + count − 1 of a ragged dataset. */
  readonly ragged: (path: string, start: number, count: number) => readonly Float64Array[];
}

/** What is needed of the library's file system: its files are nodes with operations. */
interface FileSystem {
  readonly createFile: (folder: string, name: string, options: object, read: boolean, write: boolean) => Node;
  readonly unlink: (path: string) => void;
  readonly streams: readonly Pick<Node, 'stream_ops'>[];
}
interface Node {
  usedBytes: number;
  stream_ops: Record<string, unknown>;
}

async function loadLibrary() {
  try {
    return await (await import('h5wasm')).ready;
  } catch (cause) {
    throw new UserError('HDF5 files need the npm package h5wasm, not installed; run: npm install h5wasm', {
      cause,
    });
  }
}

type Library = Awaited<ReturnType<typeof loadLibrary>>;

/** Runs a call of the library; what fails is the file's fault. */
type Call = <Value>(where: string, run: () => Value) => Value;

/** The last cause in what the library prints: lines `#005: … in H5F_open(): unable to read superblock`. */
const lastCause = (printed: string): string =>
  [...printed.matchAll(/#\d+: .*?\(\): (.*)/g)].at(-1)?.[1]?.trim() ?? 'damaged';

/** Keeps what the library prints on errors from the user's screen: it becomes the reason in ours. */
function catchPrinted(files: FileSystem): { call: Call; restore: () => void } {
  const errors = files.streams[2]!;
  const { stream_ops: printing } = errors;
  let printed = '';
  errors.stream_ops = {
    ...printing,
    write: (_: unknown, bytes: Uint8Array, offset: number, length: number) => {
      printed += new TextDecoder('latin1').decode(bytes.slice(offset, offset + length));
      return length;
    },
  };
  const call: Call = (where, run) => {
    printed = '';
    let value: ReturnType<typeof run> | undefined;
    let cause: unknown;
    try {
      value = run();
    } catch (error) {
      cause = error;
      printed ||= `(): ${reasonOf(error)}`;
    }
    if (printed === '') return value as ReturnType<typeof run>;
    const reason = cause === undefined || printed.includes('#') ? lastCause(printed) : reasonOf(cause);
    throw new UserError(`${where}: damaged HDF5 data (${reason}); make or download it again`, { cause });
  };
  return { call, restore: () => void (errors.stream_ops = printing) };
}

/** How the numbers of a type are read; undefined where they are none. */
function readerOf({ type, signed, size, littleEndian }: Metadata): ElementReader | undefined {
  const letter = type === classes.float ? 'f' : signed ? 'i' : 'u';
  const isNumber = type === classes.integer || type === classes.float;
  const reader = isNumber ? elementReaders.get(`${letter}${size}`) : undefined;
  return reader && ((view, place) => reader(view, place, littleEndian));
}

/** What reads the open file `id` by the library. */
function reading(library: Library, call: Call, id: bigint, file: string): Hdf5 {
  const typeOf = (path: string): number => call(`${file}: ${path}`, () => library.get_type(id, path));
  const namesIn = (path: string): string[] =>
    call(`${file}: ${path}`, () => library.get_names(id, path, false));

  const names = (group: string): string[] =>
    namesIn('/').includes(group) && typeOf(`/${group}`) === library.H5G_GROUP ? namesIn(`/${group}`) : [];

  /** Type and length of a dataset, `name` or `group/name`. */
  const find = (path: string): Metadata & { length: number } => {
    const [name, group] = path.split('/').toReversed() as [string, string?];
    const present = group === undefined ? namesIn('/') : names(group);
    if (!present.includes(name) || typeOf(`/${path}`) !== library.H5G_DATASET) {
      throw new UserError(`${file}: has no dataset ${path}; expected the layout of the Heidelberg Digits`);
    }
    const metadata = call(`${file}: ${path}`, () => library.get_dataset_metadata(id, `/${path}`));
    const [length, ...more] = metadata.shape ?? [];
    if (length === undefined || more.length > 0 || length < 0 || length > mostElements) {
      throw new UserError(
        `${file}: ${path}: has shape [${metadata.shape}]; expected one axis of at most ${mostElements}`,
      );
    }
    return { ...metadata, length };
  };

  /** Reads elements start … start + count − 1, each of `size` bytes in the library's memory. */
  const read = <Value>(
    path: string,
    { start, count, size, ragged }: { start: number; count: number; size: number; ragged: boolean },
    use: (memory: DataView, address: number) => Value,
  ): Value => {
    const where = `${file}: ${path}`;
    const address = call(where, () => library._malloc(Math.max(1, count * size)));
    if (address === 0) throw new UserError(`${where}: ${count} elements do not fit into memory`);
    try {
      library.HEAPU8.fill(0, address, address + count * size);
      const pointer = BigInt(address);
      const counts = [BigInt(count)];
      const status = call(where, () =>
        library.get_dataset_data(id, `/${path}`, counts, [BigInt(start)], [1n], pointer),
      );
      if (status < 0) throw new UserError(`${where}: damaged HDF5 data; make or download it again`);
      // Taken now: the memory may have moved when it grew.
      const value = use(new DataView(library.HEAPU8.buffer), address);
      if (ragged) {
        call(where, () => library.reclaim_vlen_memory_count(id, `/${path}`, '', pointer, counts));
      }
      return value;
    } finally {
      library._free(address);
    }
  };

  const numbers = (path: string): Float64Array | undefined => {
    const { length, ...type } = find(path);
    const reader = readerOf(type);
    return (
      reader &&
      read(path, { start: 0, count: length, size: type.size, ragged: false }, (memory, address) =>
        readAll(memory, address, length, type.size, reader),
      )
    );
  };

  const strings = (path: string): string[] => {
    const { type, vlen, size, length } = find(path);
    if (type !== classes.string) throw new UserError(`${file}: ${path}: holds no strings; expected names`);
    // Strings of any length are addresses of 32 bits; those of one length end at a zero byte or fill it.
    const width = vlen ? 4 : size;
    return read(path, { start: 0, count: length, size: width, ragged: vlen }, (memory, address) =>
      Array.from({ length }, (_, index) => {
        const place = address + index * width;
        return vlen
          ? textAt(memory, memory.getUint32(place, true), longestName)
          : textAt(memory, place, width);
      }),
    );
  };

  const findRagged = (path: string): { length: number; width: number; reader: ElementReader } => {
    const { type, vlen_type: element, length } = find(path);
    const reader = type === classes.ragged && element !== undefined ? readerOf(element) : undefined;
    if (reader !== undefined) return { length, width: element!.size, reader };
    throw new UserError(
      `${file}: ${path}: is no ragged array of numbers; expected one sequence per recording`,
    );
  };

  const ragged = (path: string, start: number, count: number): Float64Array[] => {
    const { width, reader } = findRagged(path);
    return read(path, { start, count, size: raggedSize, ragged: true }, (memory, address) =>
      Array.from({ length: count }, (_, index) => {
        const place = address + index * raggedSize;
        const length = memory.getUint32(place, true);
        const data = memory.getUint32(place + 4, true);
        if (data + length * width > memory.byteLength) {
          throw new UserError(
            `${file}: ${path}: sequence ${start + index} has ${length} elements, which do not fit into memory`,
          );
        }
        return readAll(memory, data, length, width, reader);
      }),
    );
  };

  return { names, numbers, strings, raggedLength: (path) => findRagged(path).length, ragged };
}

function readAll(
  memory: DataView,
  address: number,
  length: number,
  width: number,
  reader: ElementReader,
): Float64Array {
  const values = new Float64Array(length);
  for (let index = 0; index < length; index++) values[index] = reader(memory, address + index * width, true);
  return values;
}

/** Text from an address up to a zero byte. */
function textAt(memory: DataView, address: number, longest: number): string {
  const length = Math.max(0, Math.min(longest, memory.byteLength - address));
  const bytes = new Uint8Array(memory.buffer, Math.min(address, memory.byteLength), length);
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end)).trim();
}

let opened = 0;

/**
 * Opens an HDF5 file, packed by gzip or not, for as long as `use` runs. The library reads this file piece by piece
 * and sees no other, so links to other files lead nowhere.
 *
 * @throws UserError where the package h5wasm is missing, or the file cannot be read or is damaged.
 */
export async function withHdf5<Result>(file: string, use: (hdf5: Hdf5) => Result): Promise<Result> {
  const library = await loadLibrary();
  const source = await openHdf5Source(file);
  const files = library.FS as unknown as FileSystem;
  const path = `/bitspike-${opened++}.h5`;
  const node = files.createFile('/', path.slice(1), {}, true, false);
  node.usedBytes = source.size;
  node.stream_ops = {
    ...node.stream_ops,
    read: (_: unknown, into: Uint8Array, offset: number, length: number, position: number) =>
      source.read(into, offset, Math.max(0, Math.min(length, source.size - position)), position),
  };
  const { call, restore } = catchPrinted(files);
  try {
    const id = call(file, () => library.open(path, library.H5F_ACC_RDONLY, false, -1, -1));
    try {
      return use(reading(library, call, id, file));
    } finally {
      library.close_file(id);
    }
  } finally {
    restore();
    files.unlink(path);
    source.close();
  }
}
