// Generates onnx.js and onnx.d.ts from onnx.proto, beside it or into the folder given.
// The code is static: it needs neither eval nor the .proto file at run time.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import pbjs from 'protobufjs-cli/pbjs.js';

const folder = join(dirname(import.meta.dirname), 'schemas', 'onnx');
const [output = join(folder, 'generated')] = process.argv.slice(2);
mkdirSync(output, { recursive: true });

const unused = ['create', 'verify', 'convert', 'delimited', 'typeurl', 'service'].map(
  (part) => `--no-${part}`,
);
const options = ['--target', 'static-module', '--wrap', 'esm', '--root', 'bitspike', ...unused];
const files = ['--out', join(output, 'onnx.js'), join(folder, 'onnx.proto')];
const generate = (option) => promisify(pbjs.main)([...options, option, ...files]);

// The types are made out of the comments, which only weigh on the code: hence twice.
await generate('--dts');
await generate('--no-comments');

// What protobufjs calls a Long is enough of one; the package `long` is not ours to import.
const types = join(output, 'onnx.d.ts');
const long = 'import type { Long } from "protobufjs/minimal.js";';
writeFileSync(types, readFileSync(types, 'utf8').replace('import Long = require("long");', long));
