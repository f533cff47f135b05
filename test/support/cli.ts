import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { Random } from '../../schemas/random.ts';

const root = dirname(dirname(import.meta.dirname));

/** What a run of the command line left. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Builds the command line where its imports find the packages, and apart from what may be in `dist`. */
export function buildCli(): string {
  const cache = join(root, 'node_modules', '.cache');
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'bitspike-cli-'));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n');
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const output = join(folder, 'dist');
  execFileSync(process.execPath, [compiler, '-p', 'tsconfig.build.json', '--outDir', output], { cwd: root });
  for (const file of readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(isGenerated)) {
    cpSync(join(root, file), join(output, file), { recursive: true });
  }
  return folder;
}

const isGenerated = (path: string): boolean =>
  !/^(node_modules|dist|\.git)\b/.test(path) && path.endsWith('generated') && existsSync(join(root, path));

/** Starts the command line that `buildCli` built. */
export function startCli(
  built: string,
  args: readonly string[],
  cwd: string,
): { child: ChildProcess; ended: Promise<Ended> } {
  const child = spawn(process.execPath, [join(built, 'dist', 'cli', 'main.js'), ...args], { cwd });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
  return { child, ended };
}

/** The object in the last line of what a command printed. */
export const jsonOf = ({ stdout }: Ended): Record<string, unknown> =>
  JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as Record<string, unknown>;

/** An IDX file of bytes. */
export function idxFile(shape: readonly number[], data: Uint8Array): Buffer {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.set([0, 0, 8, shape.length]);
  shape.forEach((axis, place) => header.writeUInt32BE(axis, 4 + 4 * place));
  return Buffer.concat([header, data]);
}

/** Writes a set of ten kinds of 8 × 8 images, each the blurred copy of one pattern: easy, but not trivial. */
export function writeImages(folder: string, counts: Readonly<Record<'train' | 't10k', number>>): void {
  mkdirSync(folder, { recursive: true });
  const random = Random.fromSeed(5, 'images');
  const patterns = Array.from({ length: 10 }, () =>
    Uint8Array.from({ length: 64 }, () => (random.nextUniform() < 0.4 ? 220 : 10)),
  );
  for (const [split, count] of Object.entries(counts)) {
    const labels = Uint8Array.from({ length: count }, (_, example) => example % 10);
    const images = Uint8Array.from({ length: count * 64 }, (_, at) => {
      const pattern = patterns[Math.floor(at / 64) % 10] as Uint8Array;
      return random.nextUniform() < 0.15 ? random.nextBelow(256) : (pattern[at % 64] as number);
    });
    writeFileSync(join(folder, `${split}-images-idx3-ubyte`), idxFile([count, 8, 8], images));
    writeFileSync(join(folder, `${split}-labels-idx1-ubyte`), idxFile([count], labels));
  }
}

/** Every file in a folder by its path there. */
export function filesIn(folder: string): Map<string, Buffer> {
  const paths = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  return new Map(paths.sort().map((path) => [path.slice(folder.length), readFileSync(path)]));
}
