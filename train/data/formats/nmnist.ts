import { readdir, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { UserError, reasonOf } from '../../../schemas/errors.ts';
import type { Split } from '../dataset.ts';
import type { Recordings } from '../recordings.ts';
import { RecordingCollector } from './collector.ts';
import { readPlainFile, readUnpacked, textOf } from './files.ts';
import { numbered } from './labels.ts';
import { readTar } from './tar.ts';

const side = 34;
const eventSize = 5;

/** A row of 240 is no event: it says that the clock of 13 bits started anew. */
const overflowRow = 240;
const overflow = 2 ** 13;

const archivePattern = /\.(tar|tar\.gz|tgz)$/;

/** Files by their path, wherever they lie. */
interface FileTree {
  readonly name: string;
  readonly paths: readonly string[];
  readonly read: (path: string) => Promise<Uint8Array>;
}

async function listFiles(folder: string): Promise<string[]> {
  const present = await readdir(folder, { recursive: true, withFileTypes: true });
  return present
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => relative(folder, join(parentPath, name)).replaceAll('\\', '/'))
    .sort();
}

async function openTree(path: string): Promise<FileTree> {
  let paths: string[] | undefined;
  try {
    if ((await stat(path)).isDirectory()) paths = await listFiles(path);
  } catch (cause) {
    throw new UserError(
      `${path}: cannot be read (${reasonOf(cause)}); name the folder or tar file of N-MNIST`,
      { cause },
    );
  }
  if (paths === undefined) {
    const entries = readTar(await readUnpacked(path), path);
    return { name: path, paths: [...entries.keys()].sort(), read: async (entry) => entries.get(entry)! };
  }
  const archives = paths.filter((name) => archivePattern.test(name));
  const onlyArchive = archives.length === 1 && !paths.some((name) => /\.(bin|bs2)$/.test(name));
  return onlyArchive
    ? openTree(join(path, archives[0]!))
    : { name: path, paths, read: (name) => readPlainFile(join(path, name)) };
}

/** A recording that a tree holds: where, and which digit it shows. */
interface Entry {
  readonly path: string;
  readonly label: number;
  /** The number that its name is. */
  readonly recording: number;
}

/** `Train/5/00001.bin`, the layout N-MNIST comes in. */
function findInFolders({ paths }: FileTree, split: Split): Entry[] {
  const pattern =
    split === 'train' ? /(?:^|\/)Train\/(\d)\/(\d{1,9})\.bin$/i : /(?:^|\/)Test\/(\d)\/(\d{1,9})\.bin$/i;
  return paths.flatMap((path) => {
    const [, label, recording] = pattern.exec(path) ?? [];
    return label === undefined ? [] : [{ path, label: Number(label), recording: Number(recording) }];
  });
}

/** `train….txt` or `test….txt`, with an id and a digit a line, and `ID.bs2` or `ID.bin` beside or below it. */
async function findByList({ name, paths, read }: FileTree, split: Split): Promise<Entry[]> {
  const lists = paths.filter((path) => new RegExp(`(^|/)${split}[^/]*\\.txt$`, 'i').test(path));
  const [list] = lists;
  if (list === undefined || lists.length > 1) {
    const part = split === 'train' ? 'Train' : 'Test';
    throw new UserError(
      `${name}: has ${lists.length} lists ${split}….txt and no ${part}/DIGIT/*.bin; expected the folders of N-MNIST, or one list of id and digit`,
    );
  }
  const file = `${name}: ${list}`;
  const places = new Map(
    paths.flatMap((path) => {
      const id = /(?:^|\/)(\d{1,9})\.(?:bs2|bin)$/.exec(path)?.[1];
      return id === undefined ? [] : [[Number(id), path] as const];
    }),
  );
  const lines = textOf(await read(list), file).split('\n');
  return lines.flatMap((line, index) => {
    if (line.trim() === '' || line.startsWith('#')) return [];
    const [, id, label] = /^(\d{1,9})\s+(\d)\s*$/.exec(line) ?? [];
    if (id === undefined) {
      throw new UserError(`${file}: line ${index + 1}: expected an id and a digit 0 … 9, such as 17 8`);
    }
    const recording = Number(id);
    const path = places.get(recording);
    if (path === undefined) {
      throw new UserError(
        `${file}: line ${index + 1}: there is no ${id}.bs2 or ${id}.bin; take both from one source`,
      );
    }
    return [{ path, label: Number(label), recording }];
  });
}

/**
 * Reads the events of one recording: 5 bytes each, x, y, then the polarity in one bit (1 is on) and 23 bits of
 * microseconds, big endian.
 *
 * @param add takes seconds and the channel, an index into [2, 34, 34].
 * @throws UserError where the file does not fit the layout.
 */
export function readNmnistEvents(
  bytes: Uint8Array,
  file: string,
  add: (time: number, channel: number) => void,
): void {
  if (bytes.length % eventSize !== 0) {
    throw new UserError(
      `${file}: has ${bytes.length} bytes; expected a multiple of ${eventSize}, the bytes of an event; download it again`,
    );
  }
  let passed = 0;
  for (let place = 0; place < bytes.length; place += eventSize) {
    const column = bytes[place]!;
    const row = bytes[place + 1]!;
    const third = bytes[place + 2]!;
    if (row === overflowRow) {
      passed += overflow;
      continue;
    }
    if (column >= side || row >= side) {
      throw new UserError(
        `${file}: byte ${place}: event at column ${column} and row ${row}; expected below ${side} each`,
      );
    }
    const microseconds = ((third & 127) << 16) | (bytes[place + 3]! << 8) | bytes[place + 4]!;
    add((microseconds + passed) * 1e-6, ((third >> 7) * side + row) * side + column);
  }
}

/**
 * Opens one split of N-MNIST: a folder of `Train` and `Test` as it is published, or a tar file (`.tar.gz`, alone
 * in the folder or named itself) of either that or `ID.bs2` files with lists `train….txt` and `test….txt`.
 *
 * Shape [2, 34, 34]; the property `recording` is the number that the file's name is.
 *
 * @throws UserError where a file is missing or damaged.
 */
export async function nmnist(path: string, split: Split): Promise<Recordings> {
  const tree = await openTree(path);
  const inFolders = findInFolders(tree, split);
  const entries = inFolders.length > 0 ? inFolders : await findByList(tree, split);
  const collector = new RecordingCollector(`nmnist:${path} ${split}`, [2, side, side]);
  for (const entry of entries) {
    const file = `${tree.name}: ${entry.path}`;
    readNmnistEvents(await tree.read(entry.path), file, (time, channel) => collector.add(time, channel));
    collector.end(entry.label, { recording: entry.recording });
  }
  return collector.finish(numbered(10));
}
