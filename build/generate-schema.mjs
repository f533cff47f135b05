// Writes the JSON Schema of bitspike.json, out of what the build compiled, beside the sources or to the file given.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { schemaText } from '../dist/cli/config-schema.js';

const usual = join(dirname(import.meta.dirname), 'schemas', 'generated', 'bitspike.schema.json');
const [output = usual] = process.argv.slice(2);
mkdirSync(dirname(output), { recursive: true });
writeFileSync(output, schemaText());
