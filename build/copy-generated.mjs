// Copies generated code to dist/: the compiler type-checks against it but does not emit it.
import { cpSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

const root = dirname(import.meta.dirname);

for (const file of readdirSync(join(root, 'schemas'), { recursive: true })) {
  if (basename(dirname(file)) === 'generated' && /\.(js|d\.ts)$/.test(file)) {
    cpSync(join(root, 'schemas', file), join(root, 'dist', 'schemas', file));
  }
}
