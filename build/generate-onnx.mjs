// Generates onnx.js and onnx.d.ts from onnx.proto, beside it or into the folder given.
import { dirname, join } from 'node:path';
import { generate } from './protobuf.mjs';

const folder = join(dirname(import.meta.dirname), 'schemas', 'onnx');
const [output = join(folder, 'generated')] = process.argv.slice(2);
await generate(join(folder, 'onnx.proto'), output, 'bitspike');
