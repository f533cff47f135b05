/** Damaged files and missing memory: the 1-bit engine refuses in one line, or answers as the other devices do. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { toOnnx } from '../export/index.ts';
import { openBits } from '../runtime/bits/runner.ts';
import { load } from '../runtime/index.ts';
import { binary, defineModel, dense, readout } from '../schemas/index.ts';
import { defineOnnxModel, Graph, readModel, type Value, writeModel } from '../schemas/onnx/index.ts';
import { Random } from '../schemas/random.ts';
import { judge, type Verdict } from './support/bits-faults.ts';
import { lineOf } from './support/error-line.ts';
import { exportedForms } from './support/exported-forms.ts';
import { mutateGraph } from './support/graph-mutations.ts';
import { randomBytes, randomNetwork } from './support/networks.ts';

/** `BITSPIKE_MUTATIONS=5000 npx vitest run test/bits-faults.test.ts` tries more of them. */
const mutations = Number(process.env.BITSPIKE_MUTATIONS ?? 240);

const forms = Object.entries(exportedForms);

/** How often each verdict came, and the faults. */
async function judged(mutate: (seed: number, bytes: Uint8Array) => { bytes: Uint8Array; change: string }) {
  const counts = { refused: 0, same: 0, 'as defined': 0, alone: 0 };
  const faults: string[] = [];
  for (let seed = 0; seed < mutations; seed++) {
    const [name, whole] = forms[seed % forms.length] as [string, Uint8Array];
    const { bytes, change } = mutate(seed, whole);
    const verdict: Verdict = await judge(bytes, seed);
    if (typeof verdict === 'string') counts[verdict]++;
    else faults.push(`${seed}, ${name}: ${change}: ${verdict.fault}`);
  }
  return { counts, faults };
}

/** Up to three bytes set to others, and now and then the end cut off. */
function mutateBytes(seed: number, whole: Uint8Array) {
  const random = Random.fromSeed(seed, 'bytes');
  const bytes = whole.slice(0, random.nextBelow(5) === 0 ? random.nextBelow(whole.length) : whole.length);
  const places: string[] = [];
  for (let count = 1 + random.nextBelow(3); count > 0 && bytes.length > 0; count--) {
    const place = random.nextBelow(bytes.length);
    const values = [0, 1, 127, 128, 255, random.nextBelow(256)];
    bytes[place] = values[random.nextBelow(values.length)] as number;
    places.push(`${place} is ${bytes[place]}`);
  }
  return { bytes, change: `${bytes.length} bytes, ${places.join(', ')}` };
}

describe('a damaged file is refused with one line, or means here what it means elsewhere', () => {
  it('with a field of its graph changed', { timeout: 3_600_000 }, async () => {
    const { counts, faults } = await judged((seed, whole) =>
      mutateGraph(whole, Random.fromSeed(seed, 'changes')),
    );
    expect(faults).toEqual([]);
    expect(counts.refused).toBeGreaterThan(mutations / 4);
    expect(counts.same).toBeGreaterThan(mutations / 6);
  });

  it('with some of its bytes changed', { timeout: 3_600_000 }, async () => {
    const { counts, faults } = await judged(mutateBytes);
    expect(faults).toEqual([]);
    expect(counts.refused).toBeGreaterThan(mutations / 10);
    expect(counts.same).toBeGreaterThan(mutations / 5);
  });
});

/** One node between an input and an output. */
function oneNode(op: string, inputs: (x: Value, graph: Graph) => Value[], attributes = {}): Uint8Array {
  const graph = new Graph('one');
  const x = graph.input('input', 'float32', ['batch', 3]);
  graph.output(graph.node(op, inputs(x, graph), attributes, { output: 'y' }), 'float32');
  return writeModel(defineOnnxModel(graph));
}

const line = (bytes: Uint8Array) => lineOf(() => openBits(bytes, {}, 'odd.onnx'));

describe('what a graph must not say', () => {
  it('too few inputs, or too many', async () => {
    expect(await line(oneNode('Add', (x) => [x, x, x]))).toBe("odd.onnx: Add 'y' has 3 inputs; expected 2");
    expect(await line(oneNode('Greater', (x) => [x]))).toBe("odd.onnx: Greater 'y' has 1 inputs; expected 2");
  });

  it('types that an operator does not take', async () => {
    const bytes = oneNode('MatMul', (x, graph) => [
      x,
      graph.constant({ type: 'int8', dims: [3, 2], data: new Int8Array(6).fill(1) }),
    ]);
    expect(await line(bytes)).toBe(
      "odd.onnx: MatMul 'y' has an input 1 of int8; device bits takes float32 there",
    );
  });

  it('values of any size', async () => {
    const bytes = oneNode('Add', (x, graph) => {
      const shape = graph.constant({ type: 'int64', dims: [2], data: BigInt64Array.of(2n ** 31n, 3n) });
      return [x, graph.node('ConstantOfShape', [shape])];
    });
    expect(await line(bytes)).toMatch(
      /^odd\.onnx: a value of 6442450944 numbers is too large for device bits/,
    );
  });

  it('one axis twice', async () => {
    const bytes = oneNode('Unsqueeze', (x, graph) => [
      x,
      graph.constant({ type: 'int64', dims: [2], data: BigInt64Array.of(-1n, 3n) }),
    ]);
    expect(await line(bytes)).toBe("odd.onnx: Unsqueeze 'y' names an axis twice: 3, 3");
  });

  it('two values of one name', async () => {
    const onnx = readModel(oneNode('Add', (x) => [x, x]));
    onnx.graph.replace({ nodes: [...onnx.graph.nodes, ...onnx.graph.nodes] });
    expect(await line(writeModel(onnx))).toMatch(/^odd\.onnx: two values are named 'y'/);
  });

  it('NaN where a number stands for all', async () => {
    const bytes = oneNode('Greater', (x, graph) => [
      x,
      graph.constant({ type: 'float32', dims: [], data: Float32Array.of(Number.NaN) }),
    ]);
    const runner = await openBits(bytes, {}, 'nan.onnx');
    const feed = { type: 'float32', dims: [2, 3], data: Float32Array.of(1, -1, 0, 5, 6, 7) } as const;
    expect([...(runner.runNow({ input: feed }, ['y']).y?.data ?? [])]).toEqual([0, 0, 0, 0, 0, 0]);
  });
});

const feed = (batch: number) => ({
  input: { type: 'uint8' as const, dims: [batch, 300], data: randomBytes(batch * 300, batch, 1) },
});

/** As WebAssembly does where there is no more than so many pages of 64 KiB. */
const cap = (most: number) => {
  const { grow } = WebAssembly.Memory.prototype;
  vi.spyOn(WebAssembly.Memory.prototype, 'grow').mockImplementation(function (
    this: WebAssembly.Memory,
    more,
  ) {
    if (this.buffer.byteLength / 65536 + more > most)
      throw new RangeError('WebAssembly.Memory.grow(): Unable to grow instance memory');
    return grow.call(this, more);
  });
};

describe('where memory does not grow', () => {
  const model = defineModel({
    input: { type: 'uint8', shape: [300], scale: 1 },
    layers: [
      dense({ units: 500 }),
      binary(),
      dense({ units: 400 }),
      binary(),
      dense({ units: 3 }),
      readout(),
    ],
  });
  const onnx = toOnnx(randomNetwork(model, 1));
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('large batches are refused with one line, and small ones go on as before', async () => {
    const runner = await openBits(onnx, {}, 'small.onnx');
    const before = runner.runNow(feed(2), ['logits']);
    const { weights } = runner.memory();
    cap(40);
    const large = feed(5000);
    for (let again = 0; again < 5; again++) {
      expect(await lineOf(() => runner.runNow(large, ['logits']))).toMatch(
        /no memory for \d+ MiB; run fewer examples at once$/,
      );
    }
    // What was planned for the large batch was given back.
    const whatIsLeft = runner.memory();
    expect(whatIsLeft.weights).toBe(weights);
    expect(runner.runNow(feed(2), ['logits'])).toEqual(before);
    expect(await lineOf(() => runner.runNow(large, ['logits']))).toMatch(/no memory/);
    expect(runner.memory().now).toBe(whatIsLeft.now);
    expect(runner.runNow(feed(3), ['logits']).logits?.dims).toEqual([3, 3]);
    vi.restoreAllMocks();
    const whole = await openBits(onnx, {}, 'whole.onnx');
    expect(runner.runNow(large, ['logits'])).toEqual(whole.runNow(large, ['logits']));
  });

  it('a batch that fits alone takes the place of others', async () => {
    const alone = await openBits(onnx, {}, 'small.onnx');
    const expected = alone.runNow(feed(1200), ['logits']);
    const runner = await openBits(onnx, {}, 'small.onnx');
    runner.runNow(feed(1000), ['logits']);
    cap(Math.ceil(alone.memory().peak / 65536) + 3);
    expect(runner.runNow(feed(1200), ['logits'])).toEqual(expected);
    expect(runner.runNow(feed(1000), ['logits']).logits?.dims).toEqual([1000, 3]);
  });

  it('a network that is not opened yet is refused with one line', async () => {
    cap(1);
    expect(await lineOf(() => load(onnx, { device: 'bits' }))).toMatch(/no memory for \d+ MiB/);
  });

  it('of a stepper too', async () => {
    const runner = await openBits(onnx, {}, 'small.onnx');
    cap(40);
    expect(await lineOf(() => runner.stepper(feed(5000), ['logits']))).toMatch(/no memory for \d+ MiB/);
    const stepper = runner.stepper(feed(1), ['logits']);
    stepper.step();
    expect(stepper.outputs.logits?.data).toHaveLength(3);
  });
});
