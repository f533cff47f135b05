import { UserError } from '../schemas/errors.ts';
import { type Shape, sizeOf } from '../schemas/layer.ts';
import { Graph, type Value } from '../schemas/onnx/index.ts';
import type { Convolution, Ops, OverTime, PoolKind, Reset, Scan } from '../schemas/ops.ts';
import type { Window } from '../schemas/window.ts';
import {
  arranged,
  type Carried,
  convolvedPlane,
  filtersFirst,
  flattened,
  normalised,
  pooled,
  stateShape,
  wholeSum,
  widened,
  windowAttributes,
} from './graph-planes.ts';
import type { Shared } from './graph-shared.ts';
import { currentOfSums, operators, wholeSpike } from './graph-sums.ts';
import {
  channelShape,
  countsOf,
  EXACT,
  integers,
  nameOf,
  parameter,
  scalar,
  UINT8,
  type Writer,
} from './graph-values.ts';
import {
  type AffineStep,
  onPlane,
  type ParameterSignal,
  type Plane,
  type RealSignal,
  type Signal,
  type SumSignal,
  type WholeSignal,
} from './signal.ts';

/**
 * The exporting interpreter: layers become nodes of an ONNX graph.
 *
 * Sums of whole inputs are written as DequantizeLinear → MatMul or Gemm → QuantizeLinear with scales of 1, which
 * runtimes fuse into integer kernels and which are exact whole numbers where they do not.
 */
export class GraphOps implements Ops<Signal>, Writer {
  /** Where the layer that is being written begins its names, such as `0.dense`. */
  scope = '';
  readonly graph: Graph;
  readonly shared: Shared;
  /** Inputs with their channels first, by those with their channels last. */
  readonly #turned = new Map<Value, Value>();

  /** @param shared what the body of a loop shares with the graph around it */
  constructor(graph: Graph, shared: Shared) {
    this.graph = graph;
    this.shared = shared;
  }

  linear(x: Signal, weight: Signal): Signal {
    const { name, tensor } = parameter(weight);
    if (tensor.values === 'real') {
      const weights = this.shared.real(name, tensor.shape, tensor.data);
      return { kind: 'real', value: this.graph.node('MatMul', [this.#float(x), weights]) };
    }
    const { shape, data } = tensor;
    if (x.kind === 'real') return this.#realSums(x, name, data, shape);
    const [inputs, outputs] = shape as [number, number];
    return { ...this.#sums(x, name, inputs), signs: data, shape, outputs };
  }

  conv2d(x: Signal, weight: Signal, how: Convolution): Signal {
    const { name, tensor } = parameter(weight);
    const { shape } = tensor;
    const signal = this.#channelsFirst(x);
    const plane = convolvedPlane(signal.plane as Plane, shape, how);
    if (signal.kind === 'whole' && tensor.values === 'binary') {
      const inputs = sizeOf(shape.slice(0, -1));
      return {
        ...this.#sums(signal, name, inputs),
        signs: tensor.data,
        shape,
        outputs: plane.channels,
        convolution: how,
        plane,
      };
    }
    const weights =
      tensor.values === 'real'
        ? this.shared.real(name, filtersFirst(shape), tensor.data, (data) => arranged(data, shape))
        : this.shared.weights.unpack(name, arranged(tensor.data, shape), filtersFirst(shape), 'float32');
    const attributes = windowAttributes(signal.plane as Plane, shape, how);
    return {
      kind: 'real',
      value: this.graph.node('Conv', [this.#float(signal), weights], attributes),
      plane,
    };
  }

  pool(x: Signal, kind: PoolKind, window?: Window): Signal {
    return pooled(this, this.#channelsFirst(x), kind, window);
  }

  flatten(x: Signal): Signal {
    return flattened(this, this.#carried(x));
  }

  padChannels(x: Signal, count: number): Signal {
    return widened(this, this.#channelsFirst(x), count);
  }

  normalise(x: Signal, mean: readonly number[], deviation: readonly number[]): Signal {
    const plane = planeOf(x);
    return onPlane(normalised(this, this.#float(x), plane, mean, deviation), plane);
  }

  multiply(x: Signal, factor: Signal | number): Signal {
    if (typeof factor === 'number') return this.#real('Mul', x, scalar(this.graph, factor));
    return this.#affine(x, 'multiply', parameter(factor));
  }

  add(x: Signal, term: Signal): Signal {
    if (term.kind === 'parameter') return this.#affine(x, 'add', term);
    if (x.kind === 'whole' || term.kind === 'whole') {
      const [first, second] = [this.#channelsFirst(x), this.#channelsFirst(term)];
      const sum = first.kind === 'whole' && second.kind === 'whole' && wholeSum(this, first, second);
      return sum || this.#real('Add', first, this.#float(second));
    }
    return this.#real('Add', x, this.#float(term));
  }

  spike(membrane: Signal, threshold: Signal | number): Signal {
    return membrane.kind === 'sum' && typeof threshold === 'number'
      ? wholeSpike(this, membrane, threshold)
      : this.#realSpike(membrane, this.#amount(threshold, planeOf(membrane)));
  }

  leak(membrane: Signal, decay: Signal | number): Signal {
    return decay === 1 ? membrane : this.#real('Mul', membrane, this.#amount(decay, planeOf(membrane)));
  }

  reset(membrane: Signal, spikes: Signal, threshold: Signal | number, to: Reset): Signal {
    const { graph } = this;
    if (to === 'zero') {
      const kept = graph.node('Sub', [scalar(graph, 1), this.#float(spikes)]);
      return this.#real('Mul', membrane, kept);
    }
    const limit = this.#amount(threshold, planeOf(membrane));
    return this.#real('Sub', membrane, graph.node('Mul', [this.#float(spikes), limit]));
  }

  detach(x: Signal): Signal {
    return x;
  }

  read(current: Signal): Signal {
    return { kind: 'real', value: this.#float(current) };
  }

  overTime(x: Signal, how: OverTime): Signal {
    const { time } = this.shared;
    if (!time) return x;
    const sequence = time.unfolded(this.graph, this.#float(x));
    const first = integers(this.graph, [0]);
    const last = () => this.graph.constant({ type: 'int64', dims: [], data: BigInt64Array.of(-1n) });
    const reduced = {
      mean: () => this.graph.node('ReduceMean', [sequence, first], { keepdims: 0 }),
      maximum: () => this.graph.node('ReduceMax', [sequence, first], { keepdims: 0 }),
      last: () => this.graph.node('Gather', [sequence, last()], { axis: 0 }),
    };
    return { kind: 'real', value: reduced[how]() };
  }

  /** One Scan; the sums of its input over all times are computed before it. */
  scan({ input, parameters, state, step }: Scan<Signal>): Signal {
    const { graph } = this;
    const { time } = this.shared;
    if (!time) throw new Error(`${this.scope}: a layer with a state, and no time in the graph`);
    const plane = planeOf(input);
    const current = time.unfolded(graph, this.#float(input));
    const body = new Graph(`${this.scope}.step`, graph);
    const inner = new GraphOps(body, this.shared);
    inner.scope = this.scope;
    const fed = (name: string): RealSignal =>
      onPlane({ kind: 'real', value: body.input(`${this.scope}.${name}`, 'float32') }, plane);
    const names = Object.keys(state);
    const before = names.map((name): [string, Signal] => [name, fed(`${name}.before`)]);
    const [output, after] = step(inner, parameters, Object.fromEntries(before), fed('current'));

    for (const name of names) {
      const value = inner.#float(after[name] as Signal);
      body.output(body.node('Identity', [value]), 'float32');
    }
    const spikes = output.kind === 'whole';
    const made = spikes ? output.value : inner.#float(output);
    body.output(body.node('Identity', [made]), spikes ? 'uint8' : 'float32');

    const found = graph.nodeN(
      'Scan',
      [...names.map((name) => time.zeros(graph, stateShape(state[name] as Shape, plane))), current],
      [...names.map((name) => `${this.scope}.${name}.after`), `${this.scope}.sequence`],
      { num_scan_inputs: 1, body },
    );
    const value = time.folded(graph, found.at(-1) as Value, nameOf(this, plane));
    return spikes ? { ...output, value } : onPlane({ kind: 'real', value }, plane);
  }

  /** The value of a layer's spikes, for whoever asks for it: [batch, …features] as in the model. */
  observable(signal: Signal): Value {
    const { plane, value } = this.#carried(signal);
    if (!plane) return value;
    return this.graph.node('Transpose', [value], { perm: [0, 2, 3, 1] }, { output: this.scope });
  }

  /** Sums of whole numbers, of which float32 must hold every one. */
  #sums(x: Signal, name: string, inputs: number) {
    if (x.kind !== 'whole') throw new Error(`${this.scope}: a weighted sum of a ${x.kind} has no meaning`);
    const most = x.most * x.stored;
    if (inputs * most >= EXACT) {
      throw new UserError(
        `export: ${name} sums ${inputs} inputs of up to ${most}; sums must stay below ${EXACT} to be exact, so use at most ${Math.floor((EXACT - 1) / most)} inputs`,
      );
    }
    return { kind: 'sum', input: x, name, inputs, steps: [] } satisfies Partial<SumSignal>;
  }

  #affine(x: Signal, by: AffineStep['by'], { name, tensor }: ParameterSignal): Signal {
    if (tensor.values !== 'real') throw new Error(`${name}: expected a real parameter`);
    if (x.kind === 'sum') return { ...x, steps: [...x.steps, { by, name, amounts: tensor.data }] };
    const dims = channelShape(tensor.data.length, planeOf(x));
    return this.#real(operators[by], x, this.shared.real(name, dims, tensor.data));
  }

  #real(op: string, x: Signal, by: Value): RealSignal {
    return onPlane({ kind: 'real', value: this.graph.node(op, [this.#float(x), by]) }, planeOf(x));
  }

  /** A number, or a learned one per channel. */
  #amount(of: Signal | number, plane: Plane | undefined): Value {
    if (typeof of === 'number') return scalar(this.graph, of);
    const { name, tensor } = parameter(of);
    if (tensor.values !== 'real') throw new Error(`${name}: expected a real parameter`);
    return this.shared.real(name, channelShape(tensor.data.length, plane), tensor.data);
  }

  /** Real numbers times binary weights: spikes that are carried from step to step, or inputs that are real. */
  #realSums(x: RealSignal, name: string, signs: Int8Array, shape: Shape): RealSignal {
    // A bit cannot say that there is no weight: where none is, on the diagonal, +1 is stored, and taken off again.
    const stored = signs.map((sign) => sign || 1);
    const unpacked = this.shared.weights.unpack(name, stored, shape, 'float32');
    const sums = this.graph.node('MatMul', [x.value, unpacked]);
    const value = signs.includes(0) ? this.graph.node('Sub', [sums, x.value]) : sums;
    return { kind: 'real', value };
  }

  /** The float32 numbers that a signal stands for. */
  #float(x: Signal): Value {
    if (x.kind === 'sum') return currentOfSums(this, x);
    const signal = this.#carried(x);
    if (signal.kind === 'real') return signal.value;
    const numbers = countsOf(this.graph, signal);
    return signal.unit === 1 ? numbers : this.graph.node('Mul', [numbers, scalar(this.graph, signal.unit)]);
  }

  #carried(x: Signal): Carried {
    if (x.kind !== 'real' && x.kind !== 'whole') throw new Error(`expected numbers, got a ${x.kind}`);
    return x;
  }

  #channelsFirst(x: Signal): Carried {
    const signal = this.#carried(x);
    if (!signal.plane?.channelsLast) return signal;
    const { channelsLast: _, ...plane } = signal.plane;
    let value = this.#turned.get(signal.value);
    if (value === undefined) {
      value = this.graph.node('Transpose', [signal.value], { perm: [0, 3, 1, 2] });
      this.#turned.set(signal.value, value);
    }
    return { ...signal, value, plane };
  }

  #realSpike(membrane: Signal, threshold: Value): WholeSignal {
    const plane = planeOf(membrane);
    const fires = this.graph.node('Greater', [this.#float(membrane), threshold]);
    const output = this.graph.parent ? {} : { output: nameOf(this, plane) };
    const value = this.graph.node('Cast', [fires], { to: UINT8 }, output);
    return onPlane({ kind: 'whole', value, unit: 1, most: 1, stored: 1, type: 'uint8' }, plane);
  }
}

const planeOf = (signal: Signal): Plane | undefined =>
  signal.kind === 'parameter' ? undefined : signal.plane;
