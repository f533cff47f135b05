import { UserError } from '../schemas/errors.ts';
import type { Shape } from '../schemas/layer.ts';
import { Graph, type Value } from '../schemas/onnx/index.ts';
import type { Ops, OverTime, Reset, Scan } from '../schemas/ops.ts';
import type { Shared } from './graph-shared.ts';
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
  readonly #shared: Shared;

  /** @param shared what the body of a loop shares with the graph around it */
  constructor(graph: Graph, shared: Shared) {
    this.#graph = graph;
    this.#shared = shared;
  }

  linear(x: Signal, weight: Signal): Signal {
    const { name, tensor } = parameter(weight);
    if (tensor.values === 'real') {
      const weights = this.#shared.real(name, tensor.shape, tensor.data);
      return { kind: 'real', value: this.#graph.node('MatMul', [this.#float(x), weights]) };
    }
    const [inputs, outputs] = tensor.shape as [number, number];
    if (x.kind === 'real') return this.#realSums(x, name, tensor.data, tensor.shape);
    if (x.kind !== 'whole') throw new Error(`${this.scope}: a weighted sum of a ${x.kind} has no meaning`);
    if (inputs * x.most >= EXACT) {
      throw new UserError(
        `export: ${name} sums ${inputs} inputs of up to ${x.most}; sums must stay below ${EXACT} to be exact, so use at most ${Math.floor((EXACT - 1) / x.most)} inputs`,
      );
    }
    return { kind: 'sum', input: x, name, signs: tensor.data, inputs, outputs, steps: [] };
  }

  multiply(x: Signal, factor: Signal | number): Signal {
    if (typeof factor === 'number') return this.#real('Mul', x, this.#number(factor));
    return this.#affine(x, 'multiply', parameter(factor));
  }

  add(x: Signal, term: Signal): Signal {
    return term.kind === 'parameter' ? this.#affine(x, 'add', term) : this.#real('Add', x, this.#float(term));
  }

  spike(membrane: Signal, threshold: Signal | number): Signal {
    return membrane.kind === 'sum' && typeof threshold === 'number'
      ? this.#wholeSpike(membrane, threshold)
      : this.#realSpike(membrane, this.#amount(threshold));
  }

  leak(membrane: Signal, decay: Signal | number): Signal {
    return decay === 1 ? membrane : this.#real('Mul', membrane, this.#amount(decay));
  }

  reset(membrane: Signal, spikes: Signal, threshold: Signal | number, to: Reset): Signal {
    const graph = this.#graph;
    if (to === 'zero') {
      const kept = graph.node('Sub', [this.#number(1), this.#float(spikes)]);
      return this.#real('Mul', membrane, kept);
    }
    return this.#real('Sub', membrane, graph.node('Mul', [this.#float(spikes), this.#amount(threshold)]));
  }

  detach(x: Signal): Signal {
    return x;
  }

  read(current: Signal): Signal {
    return { kind: 'real', value: this.#float(current) };
  }

  overTime(x: Signal, how: OverTime): Signal {
    const { time } = this.#shared;
    if (!time) return x;
    const sequence = time.unfolded(this.#graph, this.#float(x));
    const first = this.#graph.constant({ type: 'int64', dims: [1], data: BigInt64Array.of(0n) });
    const last = this.#graph.constant({ type: 'int64', dims: [], data: BigInt64Array.of(-1n) });
    const reduced = {
      mean: () => this.#graph.node('ReduceMean', [sequence, first], { keepdims: 0 }),
      maximum: () => this.#graph.node('ReduceMax', [sequence, first], { keepdims: 0 }),
      last: () => this.#graph.node('Gather', [sequence, last], { axis: 0 }),
    };
    return { kind: 'real', value: reduced[how]() };
  }

  /** One Scan; the sums of its input over all times are computed before it. */
  scan({ input, parameters, state, step }: Scan<Signal>): Signal {
    const graph = this.#graph;
    const { time } = this.#shared;
    if (!time) throw new Error(`${this.scope}: a layer with a state, and no time in the graph`);
    const current = time.unfolded(graph, this.#float(input));
    const body = new Graph(`${this.scope}.step`, graph);
    const inner = new GraphOps(body, this.#shared);
    inner.scope = this.scope;
    const names = Object.keys(state);
    const before = names.map((name): [string, Signal] => [
      name,
      { kind: 'real', value: body.input(`${this.scope}.${name}.before`, 'float32') },
    ]);
    const now: Signal = { kind: 'real', value: body.input(`${this.scope}.current`, 'float32') };
    const [output, after] = step(inner, parameters, Object.fromEntries(before), now);

    for (const name of names) {
      const value = inner.#float(after[name] as Signal);
      body.output(body.node('Identity', [value]), 'float32');
    }
    const spikes = output.kind === 'whole';
    const made = spikes ? output.value : inner.#float(output);
    body.output(body.node('Identity', [made]), spikes ? 'uint8' : 'float32');

    const found = graph.nodeN(
      'Scan',
      [...names.map((name) => time.zeros(graph, state[name] as Shape)), current],
      [...names.map((name) => `${this.scope}.${name}`), `${this.scope}.sequence`],
      { num_scan_inputs: 1, body },
    );
    const value = time.folded(graph, found.at(-1) as Value, this.scope);
    return spikes ? { kind: 'whole', value, unit: 1, most: 1 } : { kind: 'real', value };
  }

  #affine(x: Signal, by: AffineStep['by'], { name, tensor }: ParameterSignal): Signal {
    if (tensor.values !== 'real') throw new Error(`${name}: expected a real parameter`);
    if (x.kind === 'sum') return { ...x, steps: [...x.steps, { by, name, amounts: tensor.data }] };
    return this.#real(operators[by], x, this.#shared.real(name, tensor.shape, tensor.data));
  }

  #real(op: string, x: Signal, by: Value): RealSignal {
    return { kind: 'real', value: this.#graph.node(op, [this.#float(x), by]) };
  }

  #number(value: number): Value {
    return this.#graph.constant({ type: 'float32', dims: [], data: Float32Array.of(value) });
  }

  /** A number, or a learned one per channel. */
  #amount(of: Signal | number): Value {
    if (typeof of === 'number') return this.#number(of);
    const { name, tensor } = parameter(of);
    return this.#shared.real(name, tensor.shape, Float32Array.from(tensor.data));
  }

  /** Real numbers times binary weights: spikes that are carried from step to step, or inputs that are real. */
  #realSums(x: RealSignal, name: string, signs: Int8Array, shape: Shape): RealSignal {
    // A bit cannot say that there is no weight: where none is, on the diagonal, +1 is stored, and taken off again.
    const stored = signs.map((sign) => sign || 1);
    const unpacked = this.#shared.weights.unpack(name, stored, shape, 'float32');
    const sums = this.#graph.node('MatMul', [x.value, unpacked]);
    const value = signs.includes(0) ? this.#graph.node('Sub', [sums, x.value]) : sums;
    return { kind: 'real', value };
  }

  /** The float32 numbers that a signal stands for. */
  #float(x: Signal): Value {
    if (x.kind === 'real') return x.value;
    if (x.kind === 'sum') return this.#current(x);
    if (x.kind !== 'whole') throw new Error(`expected numbers, got a ${x.kind}`);
    const numbers = this.#graph.node('Cast', [x.value], { to: FLOAT32 });
    return x.unit === 1 ? numbers : this.#graph.node('Mul', [numbers, this.#number(x.unit)]);
  }

  /** Fires where S − threshold ≥ 1; × 512 and saturated, that is 255, and 0 elsewhere. */
  #wholeSpike(sums: SumSignal, threshold: number): WholeSignal {
    const { signs, outputs, name } = sums;
    const negated = new Int32Array(outputs);
    const flipped = Int8Array.from(signs);
    for (let channel = 0; channel < outputs; channel++) {
      const whole = wholeThreshold(sums, channel, threshold, this.#shared.round);
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

  #realSpike(membrane: Signal, threshold: Value): WholeSignal {
    const fires = this.#graph.node('Greater', [this.#float(membrane), threshold]);
    const output = this.#graph.parent ? {} : { output: this.scope };
    return {
      kind: 'whole',
      value: this.#graph.node('Cast', [fires], { to: UINT8 }, output),
      unit: 1,
      most: 1,
    };
  }

  /**
   * The current of sums, elementwise in float32: the same on every runtime. Over time each step is rounded by itself,
   * as in the reference; without time a factor and an offset are enough.
   */
  #current(sums: SumSignal): Value {
    const { outputs, name, input } = sums;
    const graph = this.#graph;
    const whole = graph.node(
      'MatMul',
      this.#dequantized(sums, sums.signs),
      {},
      { output: `${this.scope}.sums` },
    );
    const vector = (part: string, data: Float32Array) =>
      graph.initializer(`${name}.${part}`, { type: 'float32', dims: [outputs], data });
    if (this.#shared.time) {
      const unit = new Float32Array(outputs).fill(input.unit);
      const scaled = input.unit === 1 ? whole : graph.node('Mul', [whole, vector('unit', unit)]);
      return sums.steps.reduce(
        (value, { by, name: of, amounts }) =>
          graph.node(operators[by], [value, this.#shared.real(of, [outputs], amounts)]),
        scaled,
      );
    }
    const factors = new Float32Array(outputs);
    const offsets = new Float32Array(outputs);
    for (let channel = 0; channel < outputs; channel++) {
      const { factor, offset } = affineOf(sums, channel);
      factors[channel] = factor;
      offsets[channel] = offset;
    }
    const scaled = graph.node('Mul', [whole, vector('factor', factors)]);
    return graph.node('Add', [scaled, vector('offset', offsets)], {}, { output: this.scope });
  }

  #dequantized({ input, name, inputs, outputs }: SumSignal, signs: Int8Array): [x: Value, weight: Value] {
    const unpacked = this.#shared.weights.unpack(name, signs, [inputs, outputs], 'int8');
    return [this.#dequantize(input.value), this.#dequantize(unpacked)];
  }

  #dequantize(whole: Value): Value {
    const one = this.#graph.constant({ type: 'float32', dims: [], data: Float32Array.of(1) });
    return this.#graph.node('DequantizeLinear', [whole, one]);
  }
}

const operators: Record<AffineStep['by'], string> = { multiply: 'Mul', add: 'Add' };

function parameter(signal: Signal): ParameterSignal {
  if (signal.kind !== 'parameter') throw new Error(`expected a parameter, got a ${signal.kind}`);
  return signal;
}
