/**
 * What the compiler promises. Each `@ts-expect-error` is checked by `tsc`: where the line under it compiles, the
 * check fails. The tests run the same lines, since not everyone who calls the package has a compiler.
 */
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { freeze } from '../export/index.ts';
import { load } from '../runtime/index.ts';
import {
  binary,
  defineLayer,
  defineModel,
  dense,
  type Model,
  type Ops,
  type Parameter,
  type Posterior,
  readout,
  type Shape,
} from '../schemas/index.ts';
import { type Dataset, train } from '../train/index.ts';

const posterior = {} as Posterior;
const data = {} as Dataset;
const model: Model = defineModel({ input: [2], layers: [dense({ units: 2 }), readout()] });

describe('wrong options', () => {
  test('of layers', () => {
    expect(dense({ units: 3 }).units satisfies number).toBe(3);
    expect(binary().threshold satisfies number).toBe(0);
    // @ts-expect-error a dense layer has units
    expect(() => dense()).toThrow('units');
    // @ts-expect-error it has no unit
    expect(() => dense({ unit: 3 })).toThrow('unit');
    // @ts-expect-error units are a number
    expect(() => dense({ units: '3' })).toThrow('units');
    // @ts-expect-error so is a threshold
    expect(() => binary({ threshold: true })).toThrow('threshold');
    // @ts-expect-error a binary neuron has no units
    expect(() => binary({ units: 3 })).toThrow('units');
    // @ts-expect-error a readout has no options
    expect(() => readout({ classes: 3 })).toThrow('classes');
  });

  test('of models', () => {
    const layers = [dense({ units: 2 }), readout()];
    // @ts-expect-error there is no such kind
    expect(() => defineModel({ input: [2], layers: [{ kind: 'magic' }] })).toThrow('magic');
    // @ts-expect-error bytes have a scale
    expect(() => defineModel({ input: { type: 'uint8', shape: [2] }, layers })).toThrow('scale');
    // @ts-expect-error a model has an input
    expect(() => defineModel({ layers })).toThrow('input');
  });

  test('of training', async () => {
    // @ts-expect-error the option is learningRate
    await expect(train(model, data, { learnRate: 0.1 })).rejects.toThrow('learnRate');
    // @ts-expect-error it is a number or a schedule
    await expect(train(model, data, { learningRate: 'fast' })).rejects.toThrow('learningRate');
    // @ts-expect-error a schedule has these shapes
    await expect(train(model, data, { penaltyWeight: { shape: 'jump', from: 0, to: 1 } })).rejects.toThrow(
      'W',
    );
    // @ts-expect-error the penalty has these forms
    await expect(train(model, data, { penalty: 'threshold' })).rejects.toThrow('penalty');
  });

  test('of freezing and loading', async () => {
    // @ts-expect-error weights are the mean or a sample
    expect(() => freeze(posterior, { weights: 'median' })).toThrow('weights');
    // @ts-expect-error a sample needs a seed
    expect(() => freeze(posterior, { weights: 'sample', count: 2 })).toThrow('seed');
    // @ts-expect-error a mean does not
    expect(() => freeze(posterior, { weights: 'mean', seed: 2 })).toThrow('seed');
    // @ts-expect-error there is no such device
    await expect(load(new Uint8Array(), { device: 'abacus' })).rejects.toThrow('abacus');
    // @ts-expect-error threads are counted
    await expect(load('none.onnx', { threads: 'all' })).rejects.toThrow('threads');
  });
});

const identity = (x: number): number => x;

const leaky = {
  kind: 'leaky',
  takes: 'current',
  gives: 'signal',
  options: z.strictObject({ threshold: z.number().default(1) }),
  outputShape: (_options: unknown, input: readonly number[]) => input,
  parameters: (): Record<'decay', Parameter> => ({ decay: { shape: [1], role: 'gain', fanIn: 1 } }),
  state: (): Record<'membrane', Shape> => ({ membrane: [1] }),
} as const;

describe('a layer of one’s own', () => {
  test('is a function of its options, completed with defaults', () => {
    const own = defineLayer({
      ...leaky,
      step: (ops, { threshold }, { decay }, { membrane }, current) => {
        const next = ops.add(ops.multiply(membrane, decay), current);
        return [ops.spike(next, threshold), { membrane: next }];
      },
    });
    expect(own()).toEqual({ kind: 'leaky', threshold: 1 });
    expect(own({ threshold: 2 }).threshold satisfies number).toBe(2);
    // @ts-expect-error it has this option and no other
    expect(() => own({ level: 2 })).toThrow('level');
  });

  test('uses only the parameters, state and options it declared', () => {
    expect(
      defineLayer({
        ...leaky,
        // @ts-expect-error its parameter is decay
        step: (ops, _options, { leak }, { membrane }, current) => [ops.multiply(current, leak), { membrane }],
      }),
    ).toBeTypeOf('function');
    expect(
      defineLayer({
        ...leaky,
        // @ts-expect-error its state is membrane
        step: (ops, _options, _own, { voltage }, current) => [
          ops.add(voltage, current),
          { membrane: current },
        ],
      }),
    ).toBeTypeOf('function');
    expect(
      defineLayer({
        ...leaky,
        // @ts-expect-error its option is threshold
        step: (ops, { level }, _own, { membrane }, current) => [ops.spike(current, level), { membrane }],
      }),
    ).toBeTypeOf('function');
  });

  test('hands its state on', () => {
    expect(
      defineLayer({
        ...leaky,
        // @ts-expect-error the membrane is lost
        step: (ops, _options, _own, _state, current) => [ops.spike(current, 0), {}],
      }),
    ).toBeTypeOf('function');
    expect(
      defineLayer({
        ...leaky,
        // @ts-expect-error so is all of the state
        step: (ops, _options, _own, _state, current) => [ops.spike(current, 0)],
      }),
    ).toBeTypeOf('function');
  });

  test('computes with its operations alone', () => {
    expect(
      defineLayer({
        ...leaky,
        // @ts-expect-error a value is no number
        step: (_ops, _options, _own, { membrane }, current) => [current + 1, { membrane }],
      }),
    ).toBeTypeOf('function');
    expect(
      defineLayer({
        ...leaky,
        // @ts-expect-error nor a thing of one arithmetic
        step: (ops, _options, _own, { membrane }, current) => [ops.read(current).mean, { membrane }],
      }),
    ).toBeTypeOf('function');
  });

  test('every arithmetic has every operation', () => {
    // @ts-expect-error read is missing
    const lacking: Ops<number> = { linear: identity, multiply: identity, add: identity, spike: identity };
    expect(lacking).not.toHaveProperty('read');
  });
});
