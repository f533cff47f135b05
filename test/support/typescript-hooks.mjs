// A module hook of Node: TypeScript sources with their types taken out, by the compiler that vitest brings.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';

const beside = (name, file) => createRequire(file).resolve(name);
const vite = beside('vite/package.json', beside('vitest/package.json', import.meta.url));
const { transformSync } = await import(pathToFileURL(beside('rolldown/utils', vite)).href);

export async function load(url, context, next) {
  if (!url.startsWith('file:') || !url.endsWith('.ts')) return next(url, context);
  const file = fileURLToPath(url);
  const { code, errors } = transformSync(file, await readFile(file, 'utf8'));
  if (errors.length > 0) throw new Error(`${file}: ${errors[0].message}`);
  return { format: 'module', source: code, shortCircuit: true };
}
