import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { Reference } from '../export/reference/index.ts';
import { toOnnx } from '../export/index.ts';
import { readModel } from '../schemas/onnx/index.ts';
import { freshFolder } from './support/folder.ts';
import { denseModel, randomNetwork } from './support/networks.ts';

const folder = freshFolder();
const network = randomNetwork(denseModel({ type: 'uint8', shape: [784], scale: 1 / 255 }, [40, 10]), 3);

/** A vertical stroke, as the scripts draw it. */
const stroke = Uint8Array.from({ length: 784 }, (_, place) => {
  const [row, column] = [Math.floor(place / 28), place % 28];
  return row >= 6 && row < 22 && column >= 13 && column < 16 ? 255 : 0;
});

it.each(['plain-onnxruntime.mjs', 'plain-onnxruntime-web.mjs'])(
  '%s runs a file without this library',
  async (name) => {
    const bytes = toOnnx(network);
    await folder.put('m.onnx', bytes);
    const script = fileURLToPath(new URL(`../examples/${name}`, import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [script, folder.path('m.onnx')]);
    const input = { type: 'uint8', dims: [1, 784], data: stroke, exact: true } as const;
    const { probabilities } = new Reference(readModel(bytes)).run({ input }, ['probabilities']);
    const [, label, list] = /^it is a (\d) (\[[^]*\])\s*$/.exec(stdout) ?? [];
    const found = JSON.parse(list ?? '[]') as number[];
    expect(found).toHaveLength(10);
    found.forEach((value, index) => expect(value).toBeCloseTo(probabilities!.data[index] as number, 6));
    expect(Number(label)).toBe(found.indexOf(Math.max(...found)));
  },
);
