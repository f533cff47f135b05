import { describe, expect, it } from 'vitest';
import { type Bounds, engineMemoryOf, type EngineReport, engineText } from '../cli/inspect-engine.ts';
import { reportOnnx, toOnnx } from '../export/index.ts';
import { openBits } from '../runtime/bits/runner.ts';
import { binary, defineModel, dense, lif, readout } from '../schemas/index.ts';
import { defineOnnxModel, Graph, type Node, readModel, writeModel } from '../schemas/onnx/index.ts';
import { stepsOf } from '../schemas/model.ts';
import { randomNetwork } from './support/networks.ts';

const model = defineModel({
  input: { type: 'uint8', shape: [300], scale: 1 },
  steps: 4,
  layers: [dense({ units: 64 }), lif(), dense({ units: 3 }), binary(), dense({ units: 2 }), readout()],
});
const bytes = toOnnx(randomNetwork(model, 1));
const few = { binaryWeights: 1000, realWeights: 0 };

/** A graph that is small as a file, and as large as one likes once its constant is computed. */
function expanding(dims: readonly number[]): Uint8Array {
  const graph = new Graph('large');
  const x = graph.input('input', 'float32', ['batch', 1]);
  const one = graph.constant({ type: 'float32', dims: [1], data: Float32Array.of(1) });
  const shape = graph.constant({
    type: 'int64',
    dims: [dims.length],
    data: BigInt64Array.from(dims, BigInt),
  });
  const large = graph.node('Expand', [one, shape]);
  let sum = large;
  for (let times = 0; times < 100; times++) sum = graph.node('Add', [sum, large]);
  const total = graph.node('ReduceMax', [sum], { keepdims: 0 });
  graph.output(graph.node('Add', [x, total], {}, { output: 'y' }), 'float32', ['batch', 1]);
  return writeModel(defineOnnxModel(graph));
}

const withErf = (node: Node): Node => (node.op === 'ReduceMean' ? { ...node, op: 'Erf' } : node);

const measure = (dims: readonly number[], bounds: Partial<Bounds>): Promise<EngineReport> =>
  engineMemoryOf({ bytes: expanding(dims), file: 'large.onnx', steps: 1 }, few, {
    milliseconds: 40_000,
    bytes: 2 ** 30,
    weights: 2 ** 26,
    ...bounds,
  });

describe('the memory of the engine', () => {
  it('is what an example takes, at all its steps', async () => {
    const found = await engineMemoryOf(
      { bytes, file: 'net.onnx', steps: stepsOf(model) },
      reportOnnx(bytes, 'net'),
    );
    const runner = await openBits(bytes, {}, 'net.onnx');
    const atOne = runner.memory();
    const data = new Uint8Array(stepsOf(model) * 300);
    runner.runNow({ input: { type: 'uint8', dims: [4, 1, 300], data } }, ['logits']);
    expect(found).toEqual(runner.memory());
    expect((found as { now: number }).now).toBeGreaterThan(atOne.now);
    expect(engineText(found)).toMatch(/^device bits, one example: [\d.]+ kB at most, /);
  });

  it('is refused in the words of the engine', async () => {
    const onnx = readModel(toOnnx(randomNetwork(model, 1), { functions: false }));
    onnx.graph.replace({ nodes: onnx.graph.nodes.map(withErf) });
    const found = await engineMemoryOf({ bytes: writeModel(onnx), file: 'net.onnx', steps: 4 }, few);
    expect(engineText(found)).toMatch(
      /^device bits: cannot compute the operator Erf of '\w+' \(it has no such operator\); open the model on device cpu$/,
    );
  });

  it('is bounded in weights, time and memory', { timeout: 60_000 }, async () => {
    expect(await measure([1], { weights: 999 })).toEqual({
      refused: 'not tried with 1,000 weights, more than 999',
    });
    expect(await measure([2 ** 25], { milliseconds: 100 })).toEqual({
      refused: 'not known within 0.1 seconds',
    });
    expect(await measure([2 ** 27], { bytes: 2 ** 27 })).toEqual({ refused: 'it took more than 134.22 MB' });
    // More than any array holds.
    expect(await measure([2 ** 30, 2 ** 30], {})).toEqual({ refused: expect.stringMatching(/^[^\n]+$/) });
    expect(await measure([1], {})).toMatchObject({ weights: 0 });
  });
});
