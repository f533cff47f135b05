// Generates event.js and event.d.ts from event.proto, beside it or into the folder given.
import { dirname, join } from 'node:path';
import { generate } from './protobuf.mjs';

const folder = join(dirname(import.meta.dirname), 'schemas', 'tensorboard');
const [output = join(folder, 'generated')] = process.argv.slice(2);
await generate(join(folder, 'event.proto'), output, 'bitspike.tensorboard');
