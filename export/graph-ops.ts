import { UserError } from '../schemas/errors.ts';
import type { Graph, Value } from '../schemas/onnx/index.ts';
import type { Ops } from '../schemas/ops.ts';
import { PackedWeights } from './packed-bits.ts';
import {
  type AffineStep,
  affineOf,
  type ParameterSignal,
  type RealSignal,
  type Signal,
  type SumSignal,
  type WholeSignal,
} from './signal.ts';
import { wholeThreshold } from './threshold.ts';

/** Data types of ONNX, as the attribute `to` of Cast wants them. */
const FLOAT32 = 1;
const UINT8 = 2;

/** Whole numbers up to here are exact in float32, so a sum is the same in integer and in float kernels. */
const EXACT = 2 ** 24;

/**
 * The exporting interpreter: layers become nodes of an ONNX graph.
 *
 * Sums of whole inputs are written as DequantizeLinear → MatMul or Gemm → QuantizeLinear with scales of 1, which
 * runtimes fuse into integer kernels and which are exact whole numbers where they do not.
 */
export class GraphOps implements Ops<Signal> {
  /** Where the layer that is being written begins its names, such as `0.dense`. */
  scope = '';
  readonly #graph: Graph;
  readonly #weights: PackedWeights;
  readonly #real = new Map<Float32Array, Value>();

  constructor(graph: Graph) {
    this.#graph = graph;
    this.#weights = new PackedWeights(graph);
  }

  linear(x: Signal, weight: Signal): Signal {
    const { name, tensor } = parameter(weight);
    if (tensor.values === 'real') {
      const weights = this.#realParameter(name, tensor.shape, tensor.data);
      return { kind: 'real', value: this.#graph.node('MatMul', [this.#float(x), weights]) };
    }
    const [inputs, outputs] = tensor.shape as [number, number];
    if (x.kind === 'real') {
      const unpacked = this.#weights.unpack(name, tensor.data, tensor.shape, 'float32');
      return { kind: 'real', value: this.#graph.node('MatMul', [x.value, unpacked]) };
    }
    if (x.kind !== 'whole') throw new Error(`${this.scope}: a weighted sum of a ${x.kind} has no meaning`);
    if (inputs * x.most >= EXACT) {
      throw new UserError(
        `export: ${name} sums ${inputs} inputs of up to ${x.most}; sums must stay below ${EXACT} to be exact, so use at most ${Math.floor((EXACT - 1) / x.most)} inputs`,
      );
    }
    return { kind: 'sum', input: x, name, signs: tensor.data, inputs, outputs, steps: [] };
  }

  multiply(x: Signal, factor: Signal): Signal {
    return this.#affine(x, 'multiply', parameter(factor));
  }

  add(x: Signal, term: Signal): Signal {
    return this.#affine(x, 'add', parameter(term));
  }

  spike(membrane: Signal, threshold: number): Signal {
    return membrane.kind === 'sum'
      ? this.#wholeSpike(membrane, threshold)
      : this.#realSpike(real(membrane), threshold);
  }

  read(current: Signal): Signal {
    return current.kind === 'sum' ? this.#current(current) : real(current);
  }

  #affine(x: Signal, by: AffineStep['by'], { name, tensor }: ParameterSignal): Signal {
    if (tensor.values !== 'real') throw new Error(`${name}: expected a real parameter`);
    if (x.kind === 'sum') return { ...x, steps: [...x.steps, { by, amounts: tensor.data }] };
    const vector = this.#realParameter(name, tensor.shape, tensor.data);
    return {
      kind: 'real',
      value: this.#graph.node(by === 'multiply' ? 'Mul' : 'Add', [real(x).value, vector]),
    };
  }

  /** The float32 numbers that a signal stands for. */
  #float(x: Signal): Value {
    if (x.kind !== 'whole') return real(x).value;
    const graph = this.#graph;
    const numbers = graph.node('Cast', [x.value], { to: FLOAT32 });
    if (x.unit === 1) return numbers;
    const unit = graph.constant({ type: 'float32', dims: [], data: Float32Array.of(x.unit) });
    return graph.node('Mul', [numbers, unit]);
  }

  /** Members of an ensemble share what they have in common. */
  #realParameter(name: string, shape: readonly number[], data: Float32Array): Value {
    const known = this.#real.get(data);
    if (known) return known;
    const value = this.#graph.initializer(name, { type: 'float32', dims: [...shape], data });
    this.#real.set(data, value);
    return value;
  }

  /** Fires where S − threshold ≥ 1; × 512 and saturated, that is 255, and 0 elsewhere. */
  #wholeSpike(sums: SumSignal, threshold: number): WholeSignal {
    const { signs, outputs, name } = sums;
    const negated = new Int32Array(outputs);
    const flipped = Int8Array.from(signs);
    for (let channel = 0; channel < outputs; channel++) {
      const whole = wholeThreshold(sums, channel, threshold);
      negated[channel] = -whole.threshold;
      if (whole.sign > 0) continue;
      for (let index = channel; index < flipped.length; index += outputs)
        flipped[index] = -(flipped[index] as number);
    }
    const graph = this.#graph;
    const bias = graph.initializer(`${name}.negated_threshold`, {
      type: 'int32',
      dims: [outputs],
      data: negated,
    });
    const gap = graph.node(
      'Gemm',
      [...this.#dequantized(sums, flipped), this.#dequantize(bias)],
      {},
      { output: `${this.scope}.gap` },
    );
    const scale = graph.constant({ type: 'float32', dims: [], data: Float32Array.of(1 / 512) });
    const zero = graph.constant({ type: 'uint8', dims: [], data: Uint8Array.of(0) });
    const value = graph.node('QuantizeLinear', [gap, scale, zero], {}, { output: this.scope });
    return { kind: 'whole', value, unit: 1 / 255, most: 255 };
  }

  #realSpike(membrane: RealSignal, threshold: number): WholeSignal {
    const graph = this.#graph;
    const limit = graph.constant({ type: 'float32', dims: [], data: Float32Array.of(threshold) });
    const fires = graph.node('Greater', [membrane.value, limit]);
    return {
      kind: 'whole',
      value: graph.node('Cast', [fires], { to: UINT8 }, { output: this.scope }),
      unit: 1,
      most: 1,
    };
  }

  /** Factor ⊙ S + offset, elementwise in float32: the same on every runtime. */
  #current(sums: SumSignal): RealSignal {
    const { outputs, name } = sums;
    const graph = this.#graph;
    const factors = new Float32Array(outputs);
    const offsets = new Float32Array(outputs);
    for (let channel = 0; channel < outputs; channel++) {
      const { factor, offset } = affineOf(sums, channel);
      factors[channel] = factor;
      offsets[channel] = offset;
    }
    const vector = (part: string, data: Float32Array) =>
      graph.initializer(`${name}.${part}`, { type: 'float32', dims: [outputs], data });
    const whole = graph.node(
      'MatMul',
      this.#dequantized(sums, sums.signs),
      {},
      { output: `${this.scope}.sums` },
    );
    const scaled = graph.node('Mul', [whole, vector('factor', factors)]);
    return {
      kind: 'real',
      value: graph.node('Add', [scaled, vector('offset', offsets)], {}, { output: this.scope }),
    };
  }

  #dequantized({ input, name, inputs, outputs }: SumSignal, signs: Int8Array): [x: Value, weight: Value] {
    const unpacked = this.#weights.unpack(name, signs, [inputs, outputs], 'int8');
    return [this.#dequantize(input.value), this.#dequantize(unpacked)];
  }

  #dequantize(whole: Value): Value {
    const one = this.#graph.constant({ type: 'float32', dims: [], data: Float32Array.of(1) });
    return this.#graph.node('DequantizeLinear', [whole, one]);
  }
}

function parameter(signal: Signal): ParameterSignal {
  if (signal.kind !== 'parameter') throw new Error(`expected a parameter, got a ${signal.kind}`);
  return signal;
}

function real(signal: Signal): RealSignal {
  if (signal.kind !== 'real') throw new Error(`expected real numbers, got a ${signal.kind}`);
  return signal;
}
