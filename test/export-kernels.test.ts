import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession } from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { type OnnxOptions, toOnnx } from '../export/index.ts';
import {
  binary,
  conv2d,
  defineModel,
  dense,
  flatten,
  lif,
  type ModelDefinition,
  readout,
  residual,
} from '../schemas/index.ts';
import { readModel } from '../schemas/onnx/index.ts';
import { randomNetwork } from './support/networks.ts';

/** The operators that onnxruntime computes a file with, once it has optimised it. */
async function kernelsOf(definition: ModelDefinition, options: OnnxOptions): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'bitspike-kernels-'));
  try {
    const optimizedModelFilePath = join(folder, 'optimised.onnx');
    const bytes = toOnnx(randomNetwork(defineModel(definition), 1), options);
    const session = await InferenceSession.create(bytes, { optimizedModelFilePath, logSeverityLevel: 3 });
    await session.release();
    return readModel(await readFile(optimizedModelFilePath)).graph.nodes.map(({ op }) => op);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const bytes = (...shape: number[]) => ({ type: 'uint8' as const, shape, scale: 1 });
const block = [conv2d({ filters: 8, size: 3 }), binary(), conv2d({ filters: 8, size: 3 }), binary()];

/** Layers, and how often each integer kernel computes one of theirs. */
const networks: Record<string, [ModelDefinition, Record<string, number>]> = {
  'dense layers': [
    {
      input: bytes(24),
      layers: [
        dense({ units: 16 }),
        binary(),
        dense({ units: 16 }),
        binary(),
        dense({ units: 4 }),
        readout(),
      ],
    },
    { QGemm: 2, MatMulIntegerToFloat: 1 },
  ],
  'spiking layers': [
    {
      input: bytes(24),
      steps: 5,
      layers: [dense({ units: 16 }), lif(), dense({ units: 16 }), lif(), dense({ units: 4 }), readout()],
    },
    { MatMulIntegerToFloat: 3 },
  ],
  'convolutions and a residual block': [
    {
      input: bytes(8, 8, 3),
      layers: [
        conv2d({ filters: 8, size: 3 }),
        binary(),
        residual({ layers: block }),
        flatten(),
        dense({ units: 4 }),
        readout(),
      ],
    },
    { QLinearConv: 3, QLinearAdd: 1, MatMulIntegerToFloat: 1 },
  ],
  'spiking convolutions': [
    {
      input: bytes(8, 8, 3),
      steps: 5,
      layers: [conv2d({ filters: 8, size: 3 }), lif(), flatten(), dense({ units: 4 }), readout()],
    },
    { ConvInteger: 1, MatMulIntegerToFloat: 1 },
  ],
};

const floatSums = new Set(['MatMul', 'Gemm', 'FusedGemm', 'FusedMatMul', 'Conv', 'FusedConv']);

test.each(
  Object.entries(networks).flatMap(([name, [definition, kernels]]) =>
    [{}, { functions: false }, { opset: 26 } as const].map(
      (options) => [name, options, definition, kernels] as const,
    ),
  ),
)('onnxruntime computes all sums in integers: %s, %j', async (_name, options, definition, kernels) => {
  const found = await kernelsOf(definition, options);
  const counted = Object.keys(kernels).map((op): [string, number] => [
    op,
    found.filter((each) => each === op).length,
  ]);
  expect(Object.fromEntries(counted)).toEqual(kernels);
  expect(found.filter((op) => floatSums.has(op))).toEqual([]);
});

test('each zero point is stored once, whatever reads it', () => {
  const [definition] = networks['dense layers'] as [ModelDefinition, unknown];
  const { graph } = readModel(toOnnx(randomNetwork(defineModel(definition), 1, 3), { functions: false }));
  const points = graph.nodes
    .filter(({ op }) => op === 'DequantizeLinear')
    .map(({ inputs }) => inputs[2] as string);
  expect(points.length).toBeGreaterThan(6);
  expect(new Set(points).size).toBe(3);
});
