// Copies generated code to dist/, or to the folder given: the compiler type-checks against it but does not emit it.
import { cpSync, readdirSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

const root = dirname(import.meta.dirname);
const dist = resolve(process.argv[2] ?? join(root, 'dist'));

for (const file of readdirSync(join(root, 'schemas'), { recursive: true })) {
  if (basename(dirname(file)) === 'generated' && /\.(js|d\.ts|json)$/.test(file)) {
    cpSync(join(root, 'schemas', file), join(dist, 'schemas', file));
  }
}
