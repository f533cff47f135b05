import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeTriton } from '../cli/triton.ts';
import { reportOnnx, toOnnx, tritonConfig } from '../export/index.ts';
import { load } from '../runtime/index.ts';
import { defineModel, dense, lif, readout, UserError } from '../schemas/index.ts';
import { denseModel, randomNetwork } from './support/networks.ts';

type Message = { [field: string]: (string | number | Message)[] };

/** Reads protobuf's text format: fields with one value or a list of them, of numbers, words, texts and messages. */
function parseText(text: string): Message {
  const tokens = text.match(/"(?:\\.|[^"\\])*"|[\w.+-]+|[[\]{}:,]/g) ?? [];
  // Whatever is no token is space.
  expect(tokens.join('')).toBe(text.replaceAll(/\s/g, ''));
  let at = 0;
  const value = (): string | number | Message => {
    const token = tokens[at++]!;
    if (token === '{') return message('}');
    if (token.startsWith('"')) return JSON.parse(token) as string;
    return /^-?\d+$/.test(token) ? Number(token) : token;
  };
  const message = (end: string | undefined): Message => {
    const found: Message = {};
    while (tokens[at] !== end) {
      const field = tokens[at++]!;
      expect(field).toMatch(/^[a-z_]+$/);
      if (tokens[at] === ':') at++;
      const values = (found[field] ??= []);
      if (tokens[at] !== '[') {
        values.push(value());
        continue;
      }
      at++;
      while (tokens[at] !== ']') {
        values.push(value());
        if (tokens[at] === ',') at++;
      }
      at++;
    }
    at++;
    return found;
  };
  return message(undefined);
}

const single = toOnnx(randomNetwork(denseModel({ type: 'uint8', shape: [12], scale: 1 / 255 }, [9, 3]), 1));
const ensemble = toOnnx(randomNetwork(denseModel({ type: 'float32', shape: [12] }, [9, 3]), 1, 4));
const timed = toOnnx(
  randomNetwork(
    defineModel({
      input: { type: 'uint8', shape: [5], scale: 1 },
      steps: 4,
      layers: [dense({ units: 6 }), lif(), dense({ units: 3 }), readout()],
    }),
    3,
  ),
);

const configOf = (name: string, bytes: Uint8Array, maxBatch?: number): Message =>
  parseText(tritonConfig(name, reportOnnx(bytes, name), maxBatch));

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bitspike-triton-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('config.pbtxt', () => {
  it('of one network leaves the batch to Triton', () => {
    expect(configOf('digits', single)).toEqual({
      name: ['digits'],
      platform: ['onnxruntime_onnx'],
      max_batch_size: [64],
      input: [{ name: ['input'], data_type: ['TYPE_UINT8'], dims: [12] }],
      output: [
        { name: ['logits'], data_type: ['TYPE_FP32'], dims: [3] },
        { name: ['probabilities'], data_type: ['TYPE_FP32'], dims: [3] },
      ],
      dynamic_batching: [{}],
    });
    expect(configOf('digits', single, 8)['max_batch_size']).toEqual([8]);
  });

  it('of an ensemble, and of a network with time, writes all axes out', () => {
    const many = configOf('many', ensemble);
    expect(many).toMatchObject({
      max_batch_size: [0],
      input: [{ name: ['input'], data_type: ['TYPE_FP32'], dims: [-1, 12] }],
    });
    expect(many['output']).toContainEqual({
      name: ['member_probabilities'],
      data_type: ['TYPE_FP32'],
      dims: [4, -1, 3],
    });
    expect(many).not.toHaveProperty('dynamic_batching');
    expect(configOf('timed', timed)).toMatchObject({
      max_batch_size: [0],
      input: [{ name: ['input'], data_type: ['TYPE_UINT8'], dims: [-1, -1, 5] }],
    });
  });

  it('gives an output of one number per example the shape that it has', () => {
    const inputs = [{ name: 'in"put', type: 'float32', dims: ['batch', 3] }];
    const outputs = [{ name: 'sum', type: 'float32', dims: ['batch'] }];
    expect(parseText(tritonConfig('sums', { inputs, outputs }))).toMatchObject({
      input: [{ name: ['in"put'], dims: [3] }],
      output: [{ name: ['sum'], dims: [1], reshape: [{ shape: [] }] }],
    });
  });

  it.each([
    ['a name that is none', '../x', 'float32', /cannot be the name/],
    ['a type that it does not know', 'x', 'uint4', /'input' is uint4; expected one of bool/],
  ])('refuses %s', (_what, name, type, message) => {
    const port = { name: 'input', type, dims: ['batch', 1] };
    const write = () => tritonConfig(name, { inputs: [port], outputs: [] });
    expect(write).toThrow(UserError);
    expect(write).toThrow(message);
  });
});

describe('a model repository', () => {
  it('holds the model in a version folder beside its config', async () => {
    const repository = join(folder, 'deep', 'models');
    expect(await writeTriton(repository, 'out/digits.onnx', single)).toBe(join(repository, 'digits'));
    expect(readdirSync(repository, { recursive: true }).sort()).toEqual([
      'digits',
      join('digits', '1'),
      join('digits', '1', 'model.onnx'),
      join('digits', 'config.pbtxt'),
    ]);
    const config = parseText(readFileSync(join(repository, 'digits', 'config.pbtxt'), 'utf8'));
    expect(config['name']).toEqual(['digits']);
    const network = await load(join(repository, 'digits', '1', 'model.onnx'));
    expect(Object.keys(await network.run(new Uint8Array(12))).sort()).toEqual(['logits', 'probabilities']);
    await network.close();
  });

  it('keeps what it has: a model of the same name is refused', async () => {
    const repository = join(folder, 'models');
    mkdirSync(join(repository, 'digits'), { recursive: true });
    writeFileSync(join(repository, 'digits', 'note'), 'mine');
    await expect(writeTriton(repository, 'digits.onnx', single)).rejects.toThrow(
      /is there already; remove it/,
    );
    expect(readdirSync(repository, { recursive: true })).toEqual(['digits', join('digits', 'note')]);
  });

  it('is left as it was where it cannot be written', async () => {
    writeFileSync(join(folder, 'file'), '');
    await expect(writeTriton(join(folder, 'file'), 'digits.onnx', single)).rejects.toBeInstanceOf(UserError);
    const before = readdirSync(folder, { recursive: true });
    await expect(writeTriton(join(folder, 'new'), 'a b.onnx', single)).rejects.toThrow(/cannot be the name/);
    expect(readdirSync(folder, { recursive: true })).toEqual(before);
  });
});
