import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, posix, relative } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { version } from '../schemas/version.ts';

const root = dirname(import.meta.dirname);
const phases = ['schemas', 'train', 'export', 'runtime'];
const users = ['cli', 'examples', 'bench', 'test'];

const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** Every file below a folder, as a path from the root. */
const filesIn = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => relative(root, join(parentPath, name)).replaceAll('\\', '/'));

const folderOf = (path: string): string => path.split('/')[0] as string;
const isGenerated = (path: string): boolean => path.includes('/generated/');

const sources = [...phases, ...users]
  .flatMap(filesIn)
  .filter((path) => /\.(ts|mjs|js)$/.test(path) && !isGenerated(path));

interface Import {
  readonly from: string;
  /** A path from the root, or the name of a package. */
  readonly to: string;
  readonly relative: boolean;
}

const importPattern = /^(?:import|export)\b[^;]*?from '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gm;

const imports: Import[] = sources.flatMap((from) =>
  [...read(from).matchAll(importPattern)].map(([, ...found]) => {
    const specifier = found.find(Boolean) as string;
    const relative = specifier.startsWith('.');
    return { from, relative, to: relative ? posix.join(posix.dirname(from), specifier) : specifier };
  }),
);

const shown = (found: readonly Import[]): string[] => found.map(({ from, to }) => `${from} → ${to}`);

/** The folders besides its own, and the files, that each folder may import. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  schemas: [],
  train: ['schemas', 'runtime/session.ts'],
  export: ['schemas'],
  runtime: ['schemas'],
  cli: phases,
  examples: phases,
  // One bench spoils files for the command line.
  bench: [...phases, 'cli'],
  // Tests also hold what uses the four to its word.
  test: [...phases, 'cli', 'examples', 'bench'],
};

describe('who imports whom', () => {
  test('the search finds imports of every form', () => {
    expect(shown(imports)).toEqual(
      expect.arrayContaining([
        'train/engine/onnx.ts → runtime/session.ts',
        'schemas/layers/dense.ts → schemas/layer.ts',
        'schemas/index.ts → schemas/errors.ts',
        'runtime/session.ts → onnxruntime-node',
        'test/trace.test.ts → @tensorflow/tfjs-backend-cpu',
      ]),
    );
  });

  test('arrows between folders point one way', () => {
    const wrong = imports.filter(({ from, to, relative }) => {
      const allowed = [folderOf(from), ...mayImport[folderOf(from)]!];
      return relative && !allowed.some((place) => to === place || to.startsWith(`${place}/`));
    });
    expect(shown(wrong)).toEqual([]);
  });

  test('the four import each other by path, not through the package', () => {
    const wrong = imports.filter(
      ({ from, to }) => phases.includes(folderOf(from)) && /^bitspike(\/|$)/.test(to),
    );
    expect(shown(wrong)).toEqual([]);
  });

  // Examples and tests also use packages by themselves, to show or check what ours make.
  test.each([
    ['@tensorflow/', 'train'],
    ['onnxruntime', 'runtime'],
    ['protobufjs', 'schemas'],
    ['commander', 'cli'],
  ])('%s… is imported in %s/ alone', (dependency, folder) => {
    const found = imports.filter(
      ({ from, to }) => to.startsWith(dependency) && !['examples', 'test'].includes(folderOf(from)),
    );
    expect(shown(found.filter(({ from }) => folderOf(from) !== folder))).toEqual([]);
    const generated = filesIn(folder)
      .filter(isGenerated)
      .some((path) => read(path).includes(`"${dependency}`));
    expect(found.length > 0 || generated).toBe(true);
  });

  test('train/data/ stands on no engine', () => {
    const wrong = imports.filter(
      ({ from, to }) => from.startsWith('train/data/') && to.startsWith('@tensorflow/'),
    );
    expect(shown(wrong)).toEqual([]);
  });
});

describe('files', () => {
  test('are no longer than 300 lines', () => {
    const long = sources
      .filter((path) => folderOf(path) !== 'test')
      .map((path) => ({ path, lines: read(path).split('\n').length - 1 }))
      .filter(({ lines }) => lines > 300);
    expect(long).toEqual([]);
  });

  test('the version is that of the package', () => {
    const manifest = JSON.parse(read('package.json')) as { version: string };
    expect(version).toBe(manifest.version);
  });
});

describe('generated code', () => {
  test('every WebAssembly kernel is what its source compiles to', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'bitspike-kernels-'));
    try {
      await promisify(execFile)('node', [join(root, 'build/generate-kernels.mjs'), folder], { cwd: root });
      const kernels = phases
        .flatMap(filesIn)
        .filter((path) => basename(dirname(path)) === 'assembly' && path.endsWith('.ts'));
      expect(kernels).not.toEqual([]);
      for (const source of kernels) {
        const generated = source.replace('/assembly/', '/generated/');
        expect(readFileSync(join(folder, generated), 'utf8')).toBe(read(generated));
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
