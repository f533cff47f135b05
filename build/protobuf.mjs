// Generates NAME.js and NAME.d.ts from a .proto file: static code, which needs neither eval nor that file at run time.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import pbjs from 'protobufjs-cli/pbjs.js';

const unused = ['create', 'verify', 'convert', 'delimited', 'typeurl', 'service'].map(
  (part) => `--no-${part}`,
);

/** @param root what the generated code is kept under in the memory that protobufjs shares */
export async function generate(proto, output, root) {
  mkdirSync(output, { recursive: true });
  const name = basename(proto, '.proto');
  const options = ['--target', 'static-module', '--wrap', 'esm', '--root', root, ...unused];
  const files = ['--out', join(output, `${name}.js`), proto];
  const run = (option) => promisify(pbjs.main)([...options, option, ...files]);

  // The types are made out of the comments, which only weigh on the code: hence twice.
  await run('--dts');
  await run('--no-comments');

  // What protobufjs calls a Long is enough of one; the package `long` is not ours to import.
  const types = join(output, `${name}.d.ts`);
  const long = 'import type { Long } from "protobufjs/minimal.js";';
  writeFileSync(types, readFileSync(types, 'utf8').replace('import Long = require("long");', long));
}
