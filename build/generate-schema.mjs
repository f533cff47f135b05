// Writes the JSON Schemas of bitspike.json and of sweeps, out of what the build compiled, beside the sources or into the
// folder given.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { schemaText } from '../dist/cli/config-schema.js';
import { sweepSchemaText } from '../dist/cli/sweep/space-schema.js';

const usual = join(dirname(import.meta.dirname), 'schemas', 'generated');
const [folder = usual] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, 'bitspike.schema.json'), schemaText());
writeFileSync(join(folder, 'bitspike-sweep.schema.json'), sweepSchemaText());
