/** What blocks of the documents take for granted: small networks, examples and files, as `'given'` in their setup. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freeze, toOnnx } from '../../export/index.ts';
import type { HostTensors } from '../../runtime/runner.ts';
import { zeroStates } from '../../runtime/states.ts';
import { describe } from '../../schemas/description.ts';
import { readModel } from '../../schemas/onnx/index.ts';
import { savePosterior } from '../../schemas/checkpoint/index.ts';
import { binary, defineModel, dense, lif, type Model, type Posterior, readout } from '../../schemas/index.ts';
import { type Dataset, type Recordings, train } from '../../train/index.ts';
import { idxFile } from './cli.ts';
import { randomBytes, randomNetwork } from './networks.ts';

const pixels = 784;

/** Bytes in the shape of digits. */
const digitsOf = (count: number, seed: number): Dataset => ({
  name: 'digits',
  inputs: randomBytes(count * pixels, seed),
  shape: [28, 28],
  scale: 1 / 255,
  labels: Uint8Array.from({ length: count }, (_, index) => index % 10),
  count,
  classes: 10,
  classNames: Array.from('0123456789'),
});

export const data: Dataset = digitsOf(128, 1);
export const test: Dataset = digitsOf(20, 2);
export const letters: Dataset = digitsOf(20, 3);
export const images: Uint8Array = test.inputs;

export const model: Model = defineModel({
  input: { type: 'uint8', shape: [pixels], scale: 1 / 255 },
  layers: [dense({ units: 8 }), binary(), dense({ units: 10 }), readout()],
});

export const posterior: Posterior = await train(model, data, { epochs: 1, batchSize: 64, threads: 1 });

/** A spiking network for streams of 20 channels. */
export const spoken: Model = defineModel({
  input: { type: 'uint8', shape: [20], scale: 1 },
  steps: 10,
  layers: [dense({ units: 12 }), lif(), dense({ units: 4 }), readout()],
});

/** The same as a file for streams, what its first step is fed, and the states that it carries. */
export const bytes: Uint8Array = toOnnx(randomNetwork(spoken, 1), { form: 'stream' });
export const spikes: Uint8Array = Uint8Array.from({ length: 20 }, (_, index) => index % 2);
export const { states = [] } = describe(readModel(bytes, 'spoken.onnx'), 'spoken.onnx');
export const feeds: HostTensors = {
  input: { type: 'uint8', dims: [1, 1, 20], data: new Uint8Array(20) },
  ...zeroStates(states, 1),
};

/** Forty recordings of 700 channels with 100 events in a second each. */
export const recordings: Recordings = {
  name: 'recordings',
  times: Float32Array.from({ length: 4000 }, (_, index) => (index % 100) / 100),
  channels: Uint16Array.from({ length: 4000 }, (_, index) => (index * 37) % 700),
  shape: [700],
  offsets: Uint32Array.from({ length: 41 }, (_, index) => index * 100),
  labels: Uint8Array.from({ length: 40 }, (_, index) => index % 4),
  count: 40,
  classes: 4,
  classNames: ['zero', 'one', 'two', 'three'],
  properties: {},
};

/** An array of NumPy, of float32 or bytes. */
function npyFile(shape: readonly number[], values: Float32Array | Uint8Array): Buffer {
  const type = values instanceof Uint8Array ? '|u1' : '<f4';
  const header = `{'descr': '${type}', 'fortran_order': False, 'shape': (${shape.map((axis) => `${axis},`).join(' ')}), }`;
  const padded = `${header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11)}\n`;
  const length = Buffer.alloc(2);
  length.writeUInt16LE(padded.length);
  return Buffer.concat([
    Buffer.from('\x93NUMPY\x01\x00', 'latin1'),
    length,
    Buffer.from(padded, 'latin1'),
    Buffer.from(values.buffer, values.byteOffset, values.byteLength),
  ]);
}

/** Fills the folder in which a document's blocks run. */
export async function writeGiven(folder: string): Promise<void> {
  const put = async (name: string, bytes: Uint8Array): Promise<void> => {
    await mkdir(join(folder, name, '..'), { recursive: true });
    await writeFile(join(folder, name), bytes);
  };
  const single = toOnnx(freeze(posterior));
  await put('digits.onnx', single);
  await put('ensemble.onnx', toOnnx(freeze(posterior, { weights: 'sample', count: 3, seed: 1 })));
  await put('spoken.onnx', bytes);
  await savePosterior(join(folder, 'run'), posterior);
  for (const [set, seed] of [
    ['letters', 5],
    ['fashion', 6],
  ] as const) {
    for (const split of ['train', 't10k']) {
      await put(`${set}/${split}-images-idx3-ubyte`, idxFile([60, 28, 28], randomBytes(60 * pixels, seed)));
      const labels = Uint8Array.from({ length: 60 }, (_, index) => index % 10);
      await put(`${set}/${split}-labels-idx1-ubyte`, idxFile([60], labels));
    }
  }
  const colours = Uint8Array.from(randomBytes(4 * 3073, 7), (byte, at) => (at % 3073 ? byte : at / 3073));
  for (const name of [
    'data_batch_1',
    'data_batch_2',
    'data_batch_3',
    'data_batch_4',
    'data_batch_5',
    'test_batch',
  ])
    await put(`data/cifar-10-batches-bin/${name}.bin`, colours);
  for (const split of ['train', 'test']) {
    const frames = Float32Array.from(randomBytes(6 * 4 * 2 * 8 * 8, 8, 8), (byte) => byte * 0.25);
    await put(`data/gestures/${split}.frames.npy`, npyFile([6, 4, 2, 8, 8], frames));
    await put(`data/gestures/${split}.labels.npy`, npyFile([6], Uint8Array.of(0, 1, 10, 2, 3, 1)));
  }
}
