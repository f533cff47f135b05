import { describe, expect, test } from 'vitest';
import { oracleOps, type Plain } from '../export/oracle.ts';
import { binary, defineModel, dense, parametersOf, placesOf, readout } from '../schemas/index.ts';
import { classesOf, forward, type ModelDefinition } from '../schemas/model.ts';
import { learnedShapes } from '../schemas/posterior.ts';
import { lineOf } from './support/error-line.ts';

const layers = [dense({ units: 3 }), binary(), dense({ units: 2 }), readout()];

/** What a model takes an input for. */
const inputOf = (input: ModelDefinition['input']) => defineModel({ input, layers }).input;

describe('a network as plain data', () => {
  const model = defineModel({ input: [4], layers });

  test('has every option of every layer', () => {
    const short = [
      { kind: 'dense', units: 3 },
      { kind: 'binary' },
      { kind: 'dense', units: 2 },
      { kind: 'readout', over: 'mean' },
    ];
    expect(defineModel({ input: [4], layers: short } as ModelDefinition)).toEqual(model);
    expect(model).toEqual({
      input: { type: 'float32', shape: [4] },
      layers: [
        { kind: 'dense', units: 3 },
        { kind: 'binary', threshold: 0 },
        { kind: 'dense', units: 2 },
        { kind: 'readout', over: 'mean' },
      ],
    });
  });

  test('comes back from JSON the same, and stays the same when it is defined again', () => {
    expect(JSON.parse(JSON.stringify(model))).toEqual(model);
    expect(defineModel(model)).toEqual(model);
  });

  test('takes its input as a shape, as real numbers or as bytes', () => {
    expect(inputOf([4])).toEqual({ type: 'float32', shape: [4] });
    expect(inputOf({ type: 'float32', shape: [4] })).toEqual({ type: 'float32', shape: [4] });
    expect(inputOf({ type: 'uint8', shape: [4], scale: 0.5 })).toEqual({
      type: 'uint8',
      shape: [4],
      scale: 0.5,
    });
  });

  test('knows its shapes and the tensors to learn', () => {
    expect(placesOf(model).map(({ name, input, output }) => [name, input, output])).toEqual([
      ['0.dense', [4], [3]],
      ['1.binary', [3], [3]],
      ['2.dense', [3], [2]],
      ['3.readout', [2], [2]],
    ]);
    expect(classesOf(model)).toBe(2);
    expect(parametersOf(model)['2.dense.weight']).toEqual({ shape: [3, 2], role: 'weight', fanIn: 3 });
    expect(learnedShapes(model)).toEqual({
      '0.dense.weight.lambda': [4, 3],
      '0.dense.gain.value': [3],
      '0.dense.bias.value': [3],
      '0.dense.bias.rho': [1],
      '2.dense.weight.lambda': [3, 2],
      '2.dense.gain.value': [2],
      '2.dense.bias.value': [2],
      '2.dense.bias.rho': [1],
    });
  });
});

const lineOfModel = (definition: unknown): Promise<string> =>
  lineOf(() => defineModel(definition as ModelDefinition));
const lineOfLayers = (...wrong: unknown[]): Promise<string> => lineOfModel({ input: [4], layers: wrong });
const lineOfInput = (input: unknown): Promise<string> => lineOfModel({ input, layers });

describe('a network that is wrong is refused in one line', () => {
  test('an unknown kind', async () => {
    expect(await lineOfLayers({ kind: 'conv', units: 3 })).toBe(
      'model layer 0: unknown kind "conv" (did you mean conv2d?); expected one of normalise, dense, conv2d, recurrent, binary, if, lif, adaptiveLif, cubaLif, leakyIntegrator, averagePool, maxPool, globalAveragePool, flatten, residual, readout, or one of your own after registerLayer()',
    );
    expect(await lineOfLayers({ kind: 'toString' })).toContain('unknown kind "toString"');
    expect(await lineOfLayers({ units: 3 })).toContain('model layer 0: unknown kind undefined');
  });

  test('an option that does not exist, or of the wrong type', async () => {
    expect(await lineOfLayers({ kind: 'dense', units: 3, bias: true })).toBe(
      "model layer 0 (dense): unknown option 'bias' (known: units, perStep)",
    );
    expect(await lineOfLayers(dense({ units: 3 }), { kind: 'binary', threshold: 'high' }, readout())).toMatch(
      /^model layer 1 \(binary\): threshold: .*expected number/,
    );
    expect(await lineOfLayers({ kind: 'dense' })).toMatch(/^model layer 0 \(dense\): units: /);
    expect(await lineOfLayers({ kind: 'dense', units: 2.5 })).toMatch(/^model layer 0 \(dense\): units: /);
    expect(await lineOfLayers({ kind: 'dense', units: 0 })).toMatch(/^model layer 0 \(dense\): units: /);
    expect(await lineOfModel({ input: [4], layers, name: 'digits' })).toBe(
      "model: unknown option 'name' (known: input, steps, encoder, layers)",
    );
  });

  test('an option of a layer, before there is a model', async () => {
    expect(await lineOf(() => dense({ units: -1 }))).toMatch(/^dense\(\): units: /);
    expect(await lineOf(() => binary({ threshold: Number.NaN }))).toMatch(/^binary\(\): threshold: /);
  });

  test('layers that do not follow each other', async () => {
    expect(await lineOfLayers(dense({ units: 3 }), binary(), binary(), readout())).toBe(
      'model layer 2 (binary): expected a current, got the signal of layer 1 (binary); put a synapse such as dense() between them',
    );
    expect(await lineOfLayers(dense({ units: 3 }), dense({ units: 2 }), readout())).toBe(
      'model layer 1 (dense): expected a signal, got the current of layer 0 (dense); put a neuron such as binary() between them',
    );
    expect(await lineOfLayers(binary(), ...layers)).toContain("got the signal of the network's input");
    expect(await lineOfLayers(dense({ units: 3 }), readout(), ...layers)).toContain(
      'model layer 2 (dense): expected a signal, got the logits of layer 1 (readout)',
    );
  });

  test('a network without an end, or without layers', async () => {
    expect(await lineOfLayers(dense({ units: 3 }))).toBe(
      'model: the last layer gives a current; end the network with readout()',
    );
    expect(await lineOfLayers(dense({ units: 3 }), binary())).toContain('the last layer gives a signal');
    expect(await lineOfLayers()).toMatch(/^model: layers: /);
    expect(await lineOfModel({ input: [4] })).toMatch(/^model: layers: /);
    expect(await lineOfModel(undefined)).toMatch(/^model: /);
  });

  test('an input that does not fit', async () => {
    expect(await lineOfInput([2, 2])).toBe(
      'dense: expected an input with one axis, got [2, 2]; flatten it first',
    );
    for (const shape of [[], [0], [-4], [1.5], ['4'], [4, null]]) {
      expect(await lineOfInput(shape)).toMatch(/^model: input/);
      expect(await lineOfInput({ type: 'float32', shape })).toMatch(/^model input: shape/);
    }
    expect(await lineOfInput({ type: 'int4', shape: [4] })).toMatch(/^model input: type: /);
    expect(await lineOfInput({ type: 'uint8', shape: [4] })).toMatch(/^model input: scale: /);
    expect(await lineOfInput({ type: 'uint8', shape: [4], scale: 0 })).toMatch(/^model input: scale: /);
    expect(await lineOfInput({ type: 'float32', shape: [4], scale: 1 })).toContain("unknown option 'scale'");
    expect(await lineOfInput(4)).toMatch(/^model: input: /);
  });
});

const plain = (shape: number[], ...numbers: number[]): Plain => ({ shape, data: Float64Array.from(numbers) });

describe('the equations of the layers', () => {
  const parameters = {
    weight: plain([2, 3], 1, -1, 1, 1, 1, -1),
    gain: plain([3], 2, 0.5, -1),
    bias: plain([3], 0, 1, 0.25),
  };
  const x = plain([2, 2], 1, 2, 3, -1);

  test('dense: gain ⊙ (x W) + bias', () => {
    const [current, state] = dense.layer.step(oracleOps(), { units: 3 }, parameters, {}, x);
    // x W = [3, 1, −1], [2, −4, 4]
    expect(current).toEqual(plain([2, 3], 6, 1.5, 1.25, 4, -1, -3.75));
    expect(state).toEqual({});
  });

  test('binary: 1 above the threshold and 0 at exactly the threshold', () => {
    const current = plain([1, 4], 0.5, 0.5 + Number.EPSILON, 0.5 - Number.EPSILON, -3);
    const [spikes] = binary.layer.step(oracleOps(), { threshold: 0.5 }, {}, {}, current);
    expect(spikes).toEqual(plain([1, 4], 0, 1, 0, 0));
    const [atZero] = binary.layer.step(oracleOps(), binary(), {}, {}, plain([1, 3], 0, -0, 5e-324));
    expect(atZero).toEqual(plain([1, 3], 0, 0, 1));
  });

  test('readout: the current itself', () => {
    const current = plain([1, 2], 0.5, -1);
    expect(readout.layer.step(oracleOps(), readout(), {}, {}, current)[0]).toEqual(current);
  });

  test('a whole network, layer by layer', () => {
    const model = defineModel({
      input: [2],
      layers: [dense({ units: 3 }), binary({ threshold: 1.25 }), dense({ units: 1 }), readout()],
    });
    const all: Record<string, Plain> = {
      '2.dense.weight': plain([3, 1], 1, -1, 1),
      '2.dense.gain': plain([1], 0.5),
      '2.dense.bias': plain([1], -1),
    };
    for (const [name, value] of Object.entries(parameters)) all[`0.dense.${name}`] = value;
    const seen: [string, ...number[]][] = [];
    const logits = forward(oracleOps(), model, all, x, {
      after: ({ name }, output) => seen.push([name, ...output.data]),
    });
    expect(seen).toEqual([
      ['0.dense', 6, 1.5, 1.25, 4, -1, -3.75],
      ['1.binary', 1, 1, 0, 1, 0, 0],
      ['2.dense', -1, -0.5],
      ['3.readout', -1, -0.5],
    ]);
    expect(logits.shape).toEqual([2, 1]);
    const { '2.dense.gain': _, ...without } = all;
    expect(() => forward(oracleOps(), model, without, x)).toThrow('parameter 2.dense.gain is missing');
  });
});
