/** Random networks on the 1-bit engine, on onnxruntime-node and in the reference interpreter. */
import { type Member, type Network, type OnnxOptions, runOracle, toOnnx } from '../../export/index.ts';
import { openBits } from '../../runtime/bits/runner.ts';
import type { HostTensor, HostTensors } from '../../runtime/runner.ts';
import { zeroStates } from '../../runtime/states.ts';
import { describe as describeModel } from '../../schemas/description.ts';
import type { Model } from '../../schemas/index.ts';
import { sizeOf } from '../../schemas/layer.ts';
import { classesOf, stepsOf } from '../../schemas/model.ts';
import { readModel, type Value, writeModel } from '../../schemas/onnx/index.ts';
import { Random } from '../../schemas/random.ts';
import { randomNetwork } from './networks.ts';
import { openPlain } from './plain-sessions.ts';
import { randomModel } from './random-networks.ts';

/** What two ways to run a network say differently. */
export interface Differences {
  readonly neurons: number;
  readonly spikes: number;
  /** Examples whose most probable classes differ where the logits do by more than rounding. */
  readonly predictions: number;
  /** Largest difference of a logit, over the largest logit. */
  readonly logits: number;
}

/** An exported network with the spikes of all its layers as outputs, and something to run it on. */
export function observable(network: Network, options: OnnxOptions = {}) {
  const model = readModel(toOnnx(network, options));
  const { layers } = describeModel(model, 'network');
  for (const name of layers.flat()) model.graph.output(name as Value, 'uint8');
  return { bytes: writeModel(model), layers };
}

/** [time,] batch, …; spikes, bytes or real numbers. */
export function randomInput({ input, ...model }: Model, batch: number, random: Random): HostTensor {
  const steps = stepsOf({ input, ...model });
  const dims = [...(steps > 1 ? [steps] : []), batch, ...input.shape];
  const most = random.nextBelow(2) ? 1 : 255;
  const numbers = { length: sizeOf(dims) };
  return input.type === 'uint8'
    ? { type: 'uint8', dims, data: Uint8Array.from(numbers, () => random.nextBelow(most + 1)) }
    : { type: 'float32', dims, data: Float32Array.from(numbers, () => random.nextUniform() * 2 - 1) };
}

/** Real weights whose sums are exact in float32 in any order, as long as the inputs are whole. */
function withEighths(network: Network, random: Random): Network {
  const members = network.members.map((member) =>
    Object.fromEntries(
      Object.entries(member).map(([name, tensor]) => {
        if (tensor.values === 'real') return [name, tensor];
        // No unit feeds itself: those weights are 0.
        const data = Float32Array.from(tensor.data, (sign) => (sign * (1 + random.nextBelow(16))) / 8);
        return [name, { values: 'real' as const, shape: tensor.shape, data }];
      }),
    ),
  );
  return { ...network, choice: { weights: 'real' }, members };
}

/** A sequence in two calls of the streaming form: the spikes of its layers, and the last logits. */
async function streamed(network: Network, input: HostTensor, simd: boolean) {
  const { bytes, layers } = observable(network, { form: 'stream' });
  const { states = [] } = describeModel(readModel(bytes), 'stream');
  const runner = await openBits(bytes, { simd }, 'stream');
  const [steps = 0, batch = 0, ...shape] = input.dims;
  let held = zeroStates(states, batch);
  const calls: HostTensors[] = [];
  for (const [from, to] of [
    [0, 1],
    [1, steps],
  ] as const) {
    const width = input.data.length / steps;
    const data = input.data.slice(from * width, to * width) as Uint8Array;
    const found = runner.runNow(
      { input: { ...input, dims: [to - from, batch, ...shape], data }, ...held },
      runner.outputs,
    );
    held = Object.fromEntries(states.map(({ input: name, output }) => [name, found[output] as HostTensor]));
    calls.push(found);
  }
  await runner.release();
  const spikes = (layers[0] as readonly string[]).map((name) =>
    Uint8Array.from(calls.flatMap((found) => Array.from(found[name]?.data as Uint8Array))),
  );
  return { spikes, logits: calls.at(-1)?.logits?.data as Float32Array };
}

/** The random network of a seed: what it is, how it is exported, and something to run it on. */
export function randomCase(seed: number) {
  const random = Random.fromSeed(seed, 'network for the 1-bit engine');
  const model = randomModel(random);
  const members = random.nextBelow(5) === 0 ? 3 : 1;
  const binary = randomNetwork(model, seed, members);
  const network = random.nextBelow(8) === 0 ? withEighths(binary, random) : binary;
  const input = randomInput(model, 1 + random.nextBelow(5), random);
  const options: OnnxOptions = {
    functions: random.nextBelow(2) === 0,
    target: random.nextBelow(4) === 0 ? 'gpu' : 'any',
    unroll: stepsOf(model) > 1 && random.nextBelow(6) === 0,
    ...(random.nextBelow(6) === 0 && { opset: 26 }),
  };
  return { model, network, members, input, options, simd: random.nextBelow(4) > 0 };
}

/** Rows of so many classes as probabilities. */
function softmaxOf(logits: Float64Array, classes: number): Float64Array {
  const powers = logits.map((value, index) => {
    const first = index - (index % classes);
    return Math.exp(value - Math.max(...logits.subarray(first, first + classes)));
  });
  return powers.map((power, index) => {
    const first = index - (index % classes);
    return power / powers.subarray(first, first + classes).reduce((sum, each) => sum + each, 0);
  });
}

/** The random network of a seed, compared. @param runtime compare with onnxruntime-node as well */
export async function compareSeed(seed: number, runtime = false): Promise<readonly Differences[]> {
  const { model, network, members, input, options, simd } = randomCase(seed);
  const { bytes, layers } = observable(network, options);
  const runner = await openBits(bytes, { simd }, `network ${seed}`);
  // What another call left behind changes nothing.
  const other = { ...input, data: (input.data as Uint8Array).toReversed() };
  runner.runNow({ input: other }, runner.outputs);
  const found = runner.runNow({ input }, runner.outputs);
  await runner.release();
  const differences = network.members.map((member, index) => {
    const { logits, layers: spikes } = runOracle(network, member, input.data as Uint8Array);
    const expected = (layers[index] as readonly string[]).map(
      (name) => spikes[members > 1 ? name.replace(`member${index}.`, '') : name] as Float64Array,
    );
    const own = (layers[index] as readonly string[]).map((name) => found[name]?.data as Uint8Array);
    if (members === 1) return compared(expected, own, logits, found.logits?.data as Float32Array);
    // Of an ensemble's members the file gives the probabilities, [members, batch, classes].
    const all = found.member_probabilities?.data as Float32Array;
    const part = all.subarray(index * logits.length, (index + 1) * logits.length);
    return compared(expected, own, softmaxOf(logits, classesOf(model)), part);
  });
  if (members === 1 && stepsOf(model) > 1 && seed % 3 === 0) {
    const [only] = network.members as [Member];
    const { logits, layers: spikes } = runOracle(network, only, input.data as Uint8Array);
    const own = await streamed(network, input, simd);
    const expected = (layers[0] as readonly string[]).map((name) => spikes[name] as Float64Array);
    differences.push(compared(expected, own.spikes, logits, own.logits));
  }
  if (!runtime) return differences;
  const session = await openPlain(bytes, 'cpu');
  const theirs = await session.run({ input });
  await session.release();
  const names = layers.flat();
  const others = compared(
    names.map((name) => theirs[name]?.data as Uint8Array),
    names.map((name) => found[name]?.data as Uint8Array),
    (theirs.logits ?? theirs.member_probabilities)?.data as Float32Array,
    (found.logits ?? found.member_probabilities)?.data as Float32Array,
  );
  return [...differences, others];
}

function compared(
  expected: readonly (Float64Array | Uint8Array)[],
  found: readonly Uint8Array[],
  logits: Float64Array | Float32Array,
  ours: Float32Array | undefined,
): Differences {
  let [neurons, spikes] = [0, 0];
  expected.forEach((layer, index) => {
    const own = found[index];
    neurons += layer.length;
    if (own?.length !== layer.length) spikes += layer.length;
    else layer.forEach((value, at) => (spikes += Number(value > 0 !== (own[at] as number) > 0)));
  });
  if (!ours) return { neurons, spikes, predictions: 0, logits: 0 };
  let [gap, largest] = [0, 1e-9];
  logits.forEach((value, index) => {
    gap = Math.max(gap, Math.abs(value - (ours[index] as number)));
    largest = Math.max(largest, Math.abs(value));
  });
  const predictions = gap / largest > 1e-5 ? 1 : 0;
  return { neurons, spikes, predictions, logits: gap / largest };
}
