import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { beforeEach, describe, expect, test } from 'vitest';
import { type Node, readModel } from '../schemas/onnx/index.ts';
import type { Engine } from '../train/engine/engine.ts';
import { onnxEngine } from '../train/engine/onnx.ts';
import { tfjsEngine } from '../train/engine/tfjs.ts';
import { traceStep } from '../train/engine/trace/trace.ts';
import type { Spike } from '../train/estimators/index.ts';
import {
  analyticalGumbelRao,
  estimators,
  importanceWeighted,
  straightThrough,
  surrogate,
} from '../train/index.ts';
import type { Shapes, StepFunction, Tensors } from '../train/step.ts';
import { numberOf, relativeDifference } from './support/numbers.ts';
import {
  type Choices,
  type Numbers,
  randomFeeds,
  runEagerly,
  runTraced,
  scalarsAt,
  smallState,
  smallStep,
  stepOfFunction,
} from './support/training.ts';

beforeEach(async () => {
  await tf.setBackend('cpu');
});

/** The names of the numbers that differ by more than the tolerance, with their differences. */
function apart(actual: Numbers, expected: Numbers, tolerance: number): Record<string, number> {
  expect(Object.keys(actual).sort()).toEqual(Object.keys(expected).sort());
  const differences = Object.entries(expected).map(
    ([name, numbers]) => [name, relativeDifference(actual[name]!, numbers)] as const,
  );
  return Object.fromEntries(differences.filter(([, difference]) => !(difference < tolerance)));
}

const settings: readonly (Choices & { readonly name: string })[] = [
  { name: 'by default' },
  { name: 'mix 0.5', estimator: importanceWeighted({ mix: 0.5 }) },
  { name: 'mix 1', estimator: importanceWeighted({ mix: 1 }) },
  ...Object.entries(estimators).map(([name, make]) => ({ name, estimator: make() })),
  { name: 'mix 0.5, logistic', estimator: importanceWeighted({ mix: 0.5, noise: 'logistic' }) },
  { name: 'analyticalGumbelRao, cold', estimator: analyticalGumbelRao({ temperature: 0.1 }) },
  { name: 'analyticalGumbelRao, hot', estimator: analyticalGumbelRao({ temperature: 5 }) },
  ...(['fastSigmoid', 'arctangent', 'triangle'] as const).map((shape) => ({
    name: `surrogate ${shape}`,
    estimator: surrogate({ shape, width: 2 }),
  })),
  { name: 'with divergence', divergence: true },
  { name: 'with the membrane penalty', penalty: 'membrane' },
  { name: 'with the bias penalty', penalty: 'bias' },
  { name: 'with all of it', estimator: importanceWeighted({ mix: 0.25 }), divergence: true, penalty: 'bias' },
];

const reportsOf = ({ divergence, penalty }: Choices): string[] => [
  'loss',
  'crossEntropy',
  'accuracy',
  ...(divergence ? ['divergence'] : []),
  ...(penalty ? ['penalty'] : []),
];

/** Without noise no neuron tells its scale, and only the readout's noise has a gradient. */
const withoutGradient = ({ learned }: StepFunction, { estimator, penalty }: Choices): string[] => {
  const scales = Object.keys(learned).filter((name) => name.endsWith('.rho'));
  return estimator?.noise === 'none' && !penalty ? scales.slice(0, -1) : [];
};

/** A spike that notes how near any neuron came to the other outcome. */
function watched(spike: Spike): { spike: Spike; nearest: () => number } {
  let nearest = Number.POSITIVE_INFINITY;
  return {
    nearest: () => nearest,
    spike: (drive, deviation, noise) => {
      const margin = () => tf.min(tf.abs(tf.add(drive, tf.mul(deviation, noise))));
      nearest = Math.min(nearest, numberOf(margin));
      return spike(drive, deviation, noise);
    },
  };
}

describe('a whole training step, traced and run in onnxruntime, is the step of tfjs', () => {
  test.each(settings)('$name', async (setting) => {
    const step = smallStep(setting);
    const feeds = randomFeeds(step, 1);
    const { estimator = straightThrough() } = setting;
    const { spike, nearest } = watched(estimator.spike);
    const watching = smallStep({ ...setting, estimator: { ...estimator, spike } });
    const expected = await runEagerly(watching, smallState(), feeds);
    // No neuron is so near its threshold that rounding could decide whether it fires.
    expect(nearest()).toBeGreaterThan(1e-3);

    const reports = reportsOf(setting);
    const actual = await runTraced(step, smallState(), feeds, { reports, gradients: true, state: true });
    expect(Object.keys(expected.gradients)).toEqual(Object.keys(step.learned));
    expect(apart(actual.reports, expected.reports, 1e-5)).toEqual({});
    // Sums that nearly cancel leave a bias's gradient up to 2 · 10⁻⁵ of rounding; one feed in seventy has such.
    // The second moment squares it.
    expect(apart(actual.gradients, expected.gradients, 3e-5)).toEqual({});
    expect(apart(actual.state, expected.state, 6e-5)).toEqual({});
    const still = Object.keys(step.learned).filter((name) => !actual.gradients[name]!.some(Boolean));
    expect(still).toEqual(withoutGradient(step, setting));
  });

  test.each(settings)('$name, over five steps of both engines', async (setting) => {
    const step = smallStep(setting);
    const reports = reportsOf(setting);
    const run = async (engine: Engine) => {
      const prepared = await engine.prepare(step, smallState(), reports);
      try {
        const losses: number[] = [];
        for (let index = 1; index <= 5; index++) {
          const feeds = randomFeeds(step, index, scalarsAt(index));
          for (const [name, data] of Object.entries(feeds)) prepared.feeds[name]!.set(data);
          losses.push(...Object.values(await prepared.run()));
        }
        const state = Object.entries(await prepared.state()).map(([name, { data }]) => [name, [...data]]);
        return { losses, state: Object.fromEntries(state) as Numbers };
      } finally {
        await prepared.close();
      }
    };
    const traced = await run(onnxEngine({ threads: 1 }));
    const eager = await run(tfjsEngine('cpu'));
    expect(relativeDifference(traced.losses, eager.losses)).toBeLessThan(1e-5);
    expect(apart(traced.state, eager.state, 1e-4)).toEqual({});
    // All of the state has moved.
    const still = withoutGradient(step, setting);
    for (const [name, { data }] of Object.entries(smallState())) {
      const moves = !still.some((learned) => name.startsWith(learned));
      expect(!relativeDifference(traced.state[name]!, data)).toBe(!moves);
    }
  });
});

/** Traces a function of what it is fed; returns the nodes of its graph and the operators among them, sorted. */
async function traceFunction(feeds: Shapes, compute: (feeds: Tensors) => Tensors, wanted = ['y']) {
  const { bytes, inputs } = await traceStep(stepOfFunction(feeds, compute), { reports: wanted });
  const { graph } = readModel(bytes, 'the trace');
  return { bytes, inputs, nodes: graph.nodes, ops: graph.nodes.map(({ op }) => op).sort() };
}

describe('what is not to be traced', () => {
  const x = { x: [2, 2] };
  const traceOf = (compute: (x: tf.Tensor) => tf.Tensor) =>
    traceFunction(x, ({ x }) => ({ y: compute(x as tf.Tensor) }));

  test.each([
    ['Cumsum', (x: tf.Tensor) => tf.cumsum(x)],
    ['Sin', (x: tf.Tensor) => tf.sin(x)],
  ])('the kernel %s is named', async (kernel, compute) => {
    await expect(traceOf(compute)).rejects.toThrow(`the tfjs kernel '${kernel}'`);
  });

  test('a value that is read', async () => {
    await expect(traceOf((x) => tf.scalar(x.dataSync()[0]!))).rejects.toThrow(
      'was read inside a traced step',
    );
    await expect(traceOf((x) => tf.add(x, tf.tensor(x.arraySync())))).rejects.toThrow('was read');
  });

  test('numbers that would be the same in every step', async () => {
    await expect(traceOf((x) => tf.add(x, tf.randomNormal([2, 2])))).rejects.toThrow('different numbers');
    await expect(traceOf((x) => tf.add(x, tf.tensor([1, 2])))).rejects.toThrow('feed it to the step instead');
  });

  test('a result that the step does not have', async () => {
    await expect(traceFunction(x, ({ x }) => ({ y: x! }), ['z'])).rejects.toThrow("does not compute 'z'");
  });

  test('the backend that was there is there again, and computes', async () => {
    await expect(traceOf((x) => tf.sin(x))).rejects.toThrow('Sin');
    expect(tf.getBackend()).toBe('cpu');
    await expect(
      traceOf(() => {
        throw new Error('broken');
      }),
    ).rejects.toThrow('broken');
    expect(tf.getBackend()).toBe('cpu');
    expect(numberOf(() => tf.add(1, 2))).toBe(3);
    expect((await traceOf(tf.exp)).ops).toEqual(['Exp']);
    expect(tf.getBackend()).toBe('cpu');
  });

  test('a step while another is traced', async () => {
    const [first, second] = [traceOf(tf.exp), traceOf(tf.tanh)];
    await expect(second).rejects.toThrow('being traced already');
    expect((await first).ops).toEqual(['Exp']);
    expect(tf.getBackend()).toBe('cpu');
  });

  test('no tensor is left behind', async () => {
    await traceOf(tf.exp);
    const before = tf.memory().numTensors;
    await traceOf(tf.exp);
    await traceOf(tf.sin).catch(() => {});
    expect(tf.memory().numTensors).toBe(before);
  });
});

/** The step with every part of the loss, and what can be wanted of it. */
const whole = (): StepFunction =>
  smallStep({ estimator: importanceWeighted({ mix: 0.5 }), divergence: true, penalty: 'bias' });
const wanted = { reports: ['loss'], gradients: true, state: true };

test('tensors with the same gradient all get it', async () => {
  const names = ['left.value', 'right.value'];
  const learned = Object.fromEntries(names.map((name) => [name, [2]]));
  const feeds = Object.fromEntries(Object.keys(scalarsAt(1)).map((name) => [name, []]));
  const step: StepFunction = {
    ...stepOfFunction(feeds, () => ({})),
    learned,
    groups: { 'left.value': 'gains', 'right.value': 'gains' },
    state: learned,
    run: (state) => {
      const sum = tf.add(state['left.value']!, state['right.value']!);
      return { state, reports: { loss: tf.sum(sum) }, gradients: { 'left.value': sum, 'right.value': sum } };
    },
  };
  const start = Object.fromEntries(
    names.flatMap((name) => [
      [name, { shape: [2], data: Float32Array.of(1, 2) }],
      [`${name}.adam.first`, { shape: [2], data: new Float32Array(2) }],
      [`${name}.adam.second`, { shape: [2], data: new Float32Array(2) }],
    ]),
  );
  const prepared = await onnxEngine({ threads: 1 }).prepare(step, start, ['loss']);
  for (const [name, value] of Object.entries(scalarsAt(1))) prepared.feeds[name]![0] = value;
  await prepared.run();
  const after = await prepared.state();
  expect([...after['left.value.adam.first']!.data]).toEqual([2, 4]);
  expect(after['right.value.adam.first']!.data).toEqual(after['left.value.adam.first']!.data);
  expect(after['right.value']!.data).toEqual(after['left.value']!.data);
  await prepared.close();
});

describe('the graph of a step', () => {
  const square = { a: [4, 4], b: [4, 4], c: [4, 4] };
  type Named = Record<'a' | 'b' | 'c', tf.Tensor>;
  const tracing = (compute: (tensors: Named) => Record<string, tf.Tensor>, wanted?: string[]) =>
    traceFunction(square, (tensors) => compute(tensors as Named), wanted);

  test('shares what is computed twice', async () => {
    const twice = await tracing(({ a, b }) => ({
      y: tf.mul(tf.exp(tf.add(a, b)), tf.tanh(tf.exp(tf.add(a, b)))),
    }));
    expect(twice.ops).toEqual(['Add', 'Exp', 'Mul', 'Tanh']);
    const { ops } = await tracing(({ a, b }) => ({ y: tf.add(tf.max(a, 0), tf.max(b, 0)) }));
    expect(ops).toEqual(['Add', 'ReduceMax', 'ReduceMax']);
  });

  test('leaves out what nothing needs, inputs included', async () => {
    const { ops, inputs } = await tracing(({ a, b, c }) => ({
      y: tf.exp(a),
      z: tf.sum(tf.tanh(tf.mul(b, c))),
    }));
    expect(ops).toEqual(['Exp']);
    expect([...inputs]).toEqual(['a']);
    const both = await tracing(({ a, b }) => ({ y: tf.exp(a), z: tf.tanh(b) }), ['y', 'z']);
    expect(both.ops).toEqual(['Exp', 'Tanh']);
  });

  test('computes nothing with numbers that are known', async () => {
    const { ops } = await tracing(({ a }) => {
      const one = tf.exp(tf.zerosLike(a));
      return { y: tf.tanh(tf.mul(tf.add(a, tf.mul(tf.sub(one, 1), 3)), one)) };
    });
    expect(ops).toEqual(['Tanh']);
  });

  test('makes a factor and a term part of a product', async () => {
    const { nodes, ops } = await tracing(({ a, b, c }) => ({
      y: tf.add(tf.mul(tf.neg(tf.matMul(a as tf.Tensor2D, b as tf.Tensor2D, true)), 2), tf.exp(c)),
    }));
    expect(ops).toEqual(['Exp', 'Gemm']);
    const product = nodes.find(({ op }) => op === 'Gemm') as Node;
    expect(product.inputs).toHaveLength(3);
    expect(product.attributes.get('alpha')).toEqual({ type: 'float', value: -2 });
  });

  test('leaves a product alone that something else reads too', async () => {
    const { ops } = await tracing(({ a, b, c }) => {
      const product = tf.matMul(a as tf.Tensor2D, b as tf.Tensor2D);
      return { y: tf.add(tf.tanh(product), tf.add(product, c)) };
    });
    expect(ops).toEqual(['Add', 'Add', 'Gemm', 'Tanh']);
  });

  test('is the same to the byte for the same step', async () => {
    const { bytes } = await traceStep(whole(), wanted);
    expect((await traceStep(whole(), wanted)).bytes).toEqual(bytes);
    expect((await traceStep(smallStep(), wanted)).bytes).not.toEqual(bytes);
  });

  test("has no operators but ONNX's own", async () => {
    const { bytes, nodes } = await traceStep(whole(), wanted);
    const { graph, opsets, functions } = readModel(bytes, 'the trace');
    expect([...opsets.keys()]).toEqual(['']);
    expect(functions).toEqual([]);
    expect(graph.nodes.filter(({ domain }) => domain)).toEqual([]);
    expect(graph.nodes).toHaveLength(nodes);
  });
});
