import { toNoisyOnnx, toOnnx } from '../../export/index.ts';
import {
  adaptiveLif,
  averagePool,
  binary,
  conv2d,
  cubaLif,
  defineModel,
  dense,
  flatten,
  globalAveragePool,
  type InputSpec,
  integrateAndFire,
  leakyIntegrator,
  lif,
  maxPool,
  readout,
  recurrent,
  residual,
} from '../../schemas/index.ts';
import { classesOf, type Model } from '../../schemas/model.ts';
import { learnedShapes, type Posterior } from '../../schemas/posterior.ts';
import { Random } from '../../schemas/random.ts';
import { denseModel, randomNetwork } from './networks.ts';

const bytes = (shape: number[], scale = 1): InputSpec => ({ type: 'uint8', shape, scale });

const images = denseModel(bytes([30], 1 / 255), [16, 8, 5]);

const planes = defineModel({
  input: bytes([8, 8, 2], 1 / 255),
  layers: [
    conv2d({ filters: 4, size: 3 }),
    binary(),
    residual({ layers: [conv2d({ filters: 4, size: 3 }), binary()] }),
    maxPool({ size: 2 }),
    conv2d({ filters: 6, size: 3, stride: 2, padding: 'valid' }),
    binary(),
    globalAveragePool(),
    flatten(),
    dense({ units: 3 }),
    readout(),
  ],
});

const leaky = defineModel({
  input: bytes([20]),
  steps: 7,
  layers: [dense({ units: 12 }), lif(), dense({ units: 8 }), lif(), dense({ units: 4 }), readout()],
});

const neurons = defineModel({
  input: bytes([12]),
  steps: 5,
  layers: [
    dense({ units: 9 }),
    adaptiveLif(),
    recurrent({ units: 8, neuron: cubaLif() }),
    dense({ units: 6 }),
    integrateAndFire({ reset: 'zero' }),
    dense({ units: 4 }),
    leakyIntegrator(),
    readout({ over: 'maximum' }),
  ],
});

const frames = defineModel({
  input: bytes([6, 6, 2]),
  steps: 4,
  layers: [
    conv2d({ filters: 3, size: 3 }),
    lif(),
    averagePool({ size: 2 }),
    flatten(),
    dense({ units: 3 }),
    readout({ over: 'last' }),
  ],
});

/** A posterior of random numbers. */
export function randomPosterior(model: Model): Posterior {
  const random = Random.fromSeed(9, 'posterior');
  const learned = Object.fromEntries(
    Object.entries(learnedShapes(model, { family: 'bernoulli' })).map(([name, shape]) => {
      const length = shape.reduce((product, size) => product * size, 1);
      return [name, { shape, data: Float32Array.from({ length }, () => random.nextUniform() * 2 - 1) }];
    }),
  );
  const classNames = Array.from({ length: classesOf(model) }, (_, index) => `class ${index}`);
  return { family: 'bernoulli', model, learned, classNames };
}

/** A small file of every form that is exported, by a name that is good for a file. */
export const exportedForms: Readonly<Record<string, Uint8Array>> = {
  dense: toOnnx(randomNetwork(images, 1)),
  'dense-gpu': toOnnx(randomNetwork(images, 1), { target: 'gpu' }),
  'dense-flat': toOnnx(randomNetwork(images, 1), { functions: false }),
  'dense-opset-26': toOnnx(randomNetwork(images, 1), { opset: 26 }),
  'dense-real-inputs': toOnnx(randomNetwork(denseModel({ type: 'float32', shape: [30] }, [16, 5]), 5)),
  ensemble: toOnnx(randomNetwork(images, 2, 3)),
  regression: toOnnx({ ...randomNetwork(images, 3), likelihood: { kind: 'gaussian', deviation: 0.5 } }),
  planes: toOnnx(randomNetwork(planes, 6)),
  'planes-gpu': toOnnx(randomNetwork(planes, 6), { target: 'gpu' }),
  sequence: toOnnx(randomNetwork(leaky, 3)),
  'sequence-gpu': toOnnx(randomNetwork(leaky, 3), { target: 'gpu' }),
  'sequence-unrolled': toOnnx(randomNetwork(leaky, 3), { unroll: true }),
  stream: toOnnx(randomNetwork(leaky, 3), { form: 'stream' }),
  'stream-ensemble': toOnnx(randomNetwork(leaky, 4, 2), { form: 'stream' }),
  neurons: toOnnx(randomNetwork(neurons, 7)),
  'neurons-stream': toOnnx(randomNetwork(neurons, 7), { form: 'stream' }),
  frames: toOnnx(randomNetwork(frames, 8)),
  'dense-noise': toNoisyOnnx(randomPosterior(images)),
  'sequence-noise': toNoisyOnnx(randomPosterior(leaky)),
  'frames-stream': toOnnx(randomNetwork(frames, 8), { form: 'stream' }),
};
