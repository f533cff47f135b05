import { execFile, execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const root = dirname(dirname(import.meta.dirname));

export interface Packed {
  /** A project that has installed the package: `node_modules/bitspike` in it, and above it what that stands on. */
  readonly consumer: string;
  /** The package as it is published. */
  readonly tarball: Uint8Array;
  /** Its files, as paths from its root. */
  readonly files: readonly string[];
}

/** Builds the package apart from what may be in `dist`, packs it as `npm publish` does, and unpacks it for a consumer. */
export async function packPackage(): Promise<Packed> {
  const cache = join(root, 'node_modules', '.cache');
  mkdirSync(cache, { recursive: true });
  const consumer = mkdtempSync(join(cache, 'bitspike-consumer-'));
  const source = join(consumer, 'source');
  const dist = join(source, 'dist');
  mkdirSync(source);
  const { files } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { files: string[] };
  for (const file of ['package.json', ...files.filter((file) => !file.startsWith('dist'))])
    cpSync(join(root, file), join(source, file));
  const node = (...args: string[]) => promisify(execFile)(process.execPath, args, { cwd: root });
  await Promise.all([
    node(join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json', '--outDir', dist),
    node(join(root, 'build/bundle-browser.mjs'), join(dist, 'browser')),
  ]);
  await node(join(root, 'build/copy-generated.mjs'), dist);
  const packed = join(consumer, 'packed');
  mkdirSync(packed);
  const npm = ['pack', '--ignore-scripts', '--silent', '--pack-destination', packed];
  execFileSync('npm', npm, { cwd: source, stdio: ['ignore', 'pipe', 'ignore'] });
  const tarball = join(packed, readdirSync(packed)[0] as string);
  const installed = join(consumer, 'node_modules', 'bitspike');
  mkdirSync(installed, { recursive: true });
  execFileSync('tar', ['-xzf', tarball, '--strip-components=1', '-C', installed]);
  const list = readdirSync(installed, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) =>
      join(parentPath, name)
        .slice(installed.length + 1)
        .replaceAll('\\', '/'),
    );
  return { consumer, tarball: readFileSync(tarball), files: list };
}
