import type { Value } from '../schemas/onnx/index.ts';
import { arranged, filtersFirst, windowAttributes } from './graph-planes.ts';
import { functionName, ownerOf } from './graph-sections.ts';
import { atEachStep } from './graph-steps.ts';
import {
  channelShape,
  dequantized,
  FLOAT32,
  INT32,
  nameOf,
  quantized,
  UINT8,
  type Writer,
} from './graph-values.ts';
import { type AffineStep, affineOf, onPlane, type SumSignal, type WholeSignal } from './signal.ts';
import { wholeThreshold } from './threshold.ts';

/** The ONNX operator of each step from a sum to its current. */
export const operators: Record<AffineStep['by'], string> = { multiply: 'Mul', add: 'Add' };

/** Fires where S − threshold ≥ 1; × 512 and saturated, that is 255, and 0 elsewhere. */
export function wholeSpike(writer: Writer, sums: SumSignal, threshold: number): WholeSignal {
  const { sections } = writer.shared;
  const name = functionName(writer.scope) + functionName(ownerOf(sums.name));
  // All that follows in this layer belongs to it.
  sections.enter(sections.named(writer.scope, name));
  const { graph, shared } = writer;
  if (isOfSteps(sums)) return spikeAtEachStep(writer, sums, threshold);
  const { signs, outputs, input } = sums;
  const negated = new Int32Array(outputs);
  const flipped = Int8Array.from(signs);
  for (let channel = 0; channel < outputs; channel++) {
    const whole = wholeThreshold(sums, channel, threshold, shared.round);
    negated[channel] = -whole.threshold * input.stored;
    if (whole.sign > 0) continue;
    for (let index = channel; index < flipped.length; index += outputs)
      flipped[index] = -(flipped[index] as number);
  }
  if (shared.floats) return floatSpike(writer, { ...sums, signs: flipped }, negated);
  const gap = gapOf(writer, sums, flipped, negated);
  const value = quantized(graph, gap, 1 / 512, nameOf(writer, sums.plane));
  return onPlane({ kind: 'whole', value, unit: 1, most: 1, stored: 255, type: 'uint8' }, sums.plane);
}

const isOfSteps = ({ steps, outputs }: SumSignal): boolean =>
  steps.some(({ amounts }) => amounts.length > outputs);

/** The same where thresholds are of every step: fires where ±S > threshold, whole numbers in float32. */
function spikeAtEachStep(writer: Writer, sums: SumSignal, threshold: number): WholeSignal {
  const { graph, shared } = writer;
  const { outputs: channels, plane, input } = sums;
  const steps = Math.max(...sums.steps.map(({ amounts }) => amounts.length)) / channels;
  const wholes = Array.from({ length: steps * channels }, (_, index) =>
    wholeThreshold(sums, index % channels, threshold, shared.round, Math.floor(index / channels)),
  );
  const owner = ownerOf(sums.name);
  const ofSteps = (part: string, numbers: readonly number[]) => ({
    name: `${owner}.${part}`,
    data: Float32Array.from(numbers),
    channels,
    plane,
  });
  const signs = wholes.map(({ sign }) => sign);
  const found = sumsOf(writer, sums);
  const signed = signs.includes(-1) ? atEachStep(writer, 'Mul', found, ofSteps('sign', signs)) : found;
  const limits = wholes.map((whole) => whole.threshold * input.stored);
  const fires = atEachStep(writer, 'Greater', signed, ofSteps('limit', limits));
  const type = shared.floats ? 'float32' : 'uint8';
  const to = shared.floats ? FLOAT32 : UINT8;
  const value = graph.node('Cast', [fires], { to }, nameOf(writer, plane));
  return onPlane({ kind: 'whole', value, unit: 1, most: 1, stored: 1, type }, plane);
}

/** The same where all numbers are float32: S > threshold, and 1 for a spike. */
function floatSpike(writer: Writer, sums: SumSignal, negated: Int32Array): WholeSignal {
  const { graph } = writer;
  const limit = graph.initializer(`${ownerOf(sums.name)}.limit`, {
    type: 'float32',
    dims: channelShape(sums.outputs, sums.plane),
    data: Float32Array.from(negated, (number) => -number),
  });
  const operands = [sums.input.value, weightsOf(writer, sums, sums.signs, 'float32')];
  const found = graph.node(sums.convolution ? 'Conv' : 'MatMul', operands, windowOf(sums));
  const value = graph.node('Cast', [graph.node('Greater', [found, limit])], { to: FLOAT32 });
  return onPlane({ kind: 'whole', value, unit: 1, most: 1, stored: 1, type: 'float32' }, sums.plane);
}

/** Sums and an offset, as what a runtime fuses with the quantisation after it into one integer kernel. */
function gapOf(writer: Writer, sums: SumSignal, signs: Int8Array, offset: Int32Array): Value {
  const { graph } = writer;
  const dims = [sums.outputs];
  const name = `${ownerOf(sums.name)}.offset`;
  const bias = graph.initializer(name, { type: 'int32', dims, data: offset });
  const operands = operandsOf(writer, sums, signs);
  const op = sums.convolution ? 'Conv' : 'Gemm';
  const output = `${writer.scope}.gap`;
  return graph.node(op, [...operands, dequantized(graph, bias, 'int32')], windowOf(sums), { output });
}

/**
 * The current of sums, elementwise in float32: the same on every runtime. Over time each step is rounded by itself,
 * as in the reference; without time a factor and an offset are enough.
 */
export function currentOfSums(writer: Writer, sums: SumSignal): Value {
  const { sections } = writer.shared;
  return sections.within(sections.named(ownerOf(sums.name)), () => writeCurrent(writer, sums));
}

function writeCurrent(writer: Writer, sums: SumSignal): Value {
  const { graph, shared, scope } = writer;
  const { outputs, name, input, plane } = sums;
  const whole = sumsOf(writer, sums);
  const dims = channelShape(outputs, plane);
  const vector = (part: string, data: Float32Array) =>
    graph.initializer(`${name}.${part}`, { type: 'float32', dims, data });
  const filled = (part: string, number: number) => vector(part, new Float32Array(outputs).fill(number));
  if (shared.time) {
    const counts = input.stored === 1 ? whole : graph.node('Div', [whole, filled('stored', input.stored)]);
    const start = input.unit === 1 ? counts : graph.node('Mul', [counts, filled('unit', input.unit)]);
    return sums.steps.reduce(
      (value, { by, name: of, amounts }) =>
        amounts.length > outputs
          ? atEachStep(writer, operators[by], value, { name: of, data: amounts, channels: outputs, plane })
          : graph.node(operators[by], [value, shared.real(of, dims, amounts)]),
      start,
    );
  }
  const factors = new Float32Array(outputs);
  const offsets = new Float32Array(outputs);
  for (let channel = 0; channel < outputs; channel++) {
    const { factor, offset } = affineOf(sums, channel);
    factors[channel] = factor / input.stored;
    offsets[channel] = offset;
  }
  const scaled = graph.node('Mul', [whole, vector('factor', factors)]);
  return graph.node('Add', [scaled, vector('offset', offsets)], {}, { output: scope });
}

/**
 * The sums themselves, whole numbers in float32. Those of a convolution come from integers, which keeps runtimes from
 * making what multiplies them part of the weights, where sums would no longer be exact.
 */
function sumsOf(writer: Writer, sums: SumSignal): Value {
  const { graph, scope } = writer;
  const { input, signs } = sums;
  const output = { output: `${scope}.sums` };
  if (!sums.convolution) {
    return graph.node('MatMul', operandsOf(writer, sums, signs), {}, output);
  }
  const integers = (): Value => {
    if (input.type === 'float32') {
      const weights = weightsOf(writer, sums, signs, 'float32');
      return graph.node('Cast', [graph.node('Conv', [input.value, weights], windowOf(sums))], { to: INT32 });
    }
    const zero = (number: number) => graph.constant({ type: 'uint8', dims: [], data: Uint8Array.of(number) });
    const operands = [input.value, weightsOf(writer, sums, signs, 'uint8'), zero(0), zero(1)];
    return graph.node('ConvInteger', operands, windowOf(sums));
  };
  return graph.node('Cast', [integers()], { to: FLOAT32 }, output);
}

/** Inputs and weights in float32. Of stored bytes a runtime sees what they are, and multiplies integers. */
function operandsOf(writer: Writer, sums: SumSignal, signs: Int8Array): readonly [Value, Value] {
  const { graph } = writer;
  const { value, type } = sums.input;
  return type === 'uint8'
    ? [dequantized(graph, value, 'uint8'), dequantized(graph, weightsOf(writer, sums, signs, 'int8'), 'int8')]
    : [value, weightsOf(writer, sums, signs, 'float32')];
}

const windowOf = ({ input, shape, convolution }: SumSignal) =>
  input.plane && convolution ? windowAttributes(input.plane, shape, convolution) : {};

const weightsOf = (
  { shared }: Writer,
  { name, shape, convolution }: SumSignal,
  signs: Int8Array,
  type: 'int8' | 'uint8' | 'float32',
): Value =>
  convolution
    ? shared.weights.unpack(name, arranged(signs, shape), filtersFirst(shape), type)
    : shared.weights.unpack(name, signs, shape, type);
