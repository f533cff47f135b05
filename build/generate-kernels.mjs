/**
 * Compiles every AssemblyScript kernel, `FOLDER/assembly/NAME.ts`, to WebAssembly and writes its bytes as
 * `FOLDER/generated/NAME.ts`. With a folder as argument, writes below that instead.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const root = fileURLToPath(new URL('..', import.meta.url));
const kernels = [
  'train/engine/optimiser/assembly/adam.ts',
  'train/engine/optimiser/assembly/clip.ts',
  'train/engine/optimiser/assembly/sgd.ts',
  'train/noise/assembly/gaussian.ts',
  'runtime/bits/assembly/simd.ts',
  'runtime/bits/assembly/scalar.ts',
];

/** For engines without SIMD. */
const withoutSimd = new Set(['runtime/bits/assembly/scalar.ts']);

for (const source of kernels) {
  const { binary, error, stderr } = await compile(source);
  if (error) throw new Error(`${source}: ${error.message}\n${stderr}`);
  const name = basename(source, '.ts');
  const target = join(process.argv[2] ?? root, dirname(dirname(source)), 'generated', `${name}.ts`);
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, moduleOf(source, binary));
}

async function compile(source) {
  let binary;
  const simd = withoutSimd.has(source) ? [] : ['--enable', 'simd'];
  const flags = ['-O3', '--noAssert', '--runtime', 'stub', '--importMemory', ...simd];
  const { error, stderr } = await asc.main(
    [source, ...flags, '--outFile', 'kernel.wasm', '--baseDir', root],
    {
      writeFile: (_file, contents) => {
        binary = contents;
      },
    },
  );
  return { binary, error, stderr: stderr.toString() };
}

function moduleOf(source, binary) {
  return (
    `// WebAssembly of ${source}, written by \`npm run generate:kernels\`; do not edit.\n` +
    `export const wasm =\n  '${Buffer.from(binary).toString('base64')}';\n`
  );
}
