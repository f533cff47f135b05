import { UserError } from '../schemas/errors.ts';
import { type Shape, sizeOf } from '../schemas/layer.ts';
import type { Graph, Value } from '../schemas/onnx/index.ts';
import type { Convolution, OverTime, PoolKind, Reset, Scan } from '../schemas/ops.ts';
import type { Window } from '../schemas/window.ts';
import {
  arranged,
  type Carried,
  convolvedPlane,
  filtersFirst,
  flattened,
  normalised,
  pooled,
  wholeSum,
  widened,
  windowAttributes,
} from './graph-planes.ts';
import type { Shared } from './graph-shared.ts';
import { atEachStep, ofSteps } from './graph-steps.ts';
import { currentOfSums, operators, wholeSpike } from './graph-sums.ts';
import { readOverTime, scanned, type TimeWriter } from './graph-time.ts';
import {
  channelShape,
  countsOf,
  EXACT,
  FLOAT32,
  nameOf,
  parameter,
  planeOf,
  scalar,
  UINT8,
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
export class GraphOps implements TimeWriter {
  /** Where the layer that is being written begins its names, such as `0.dense`. */
  scope = '';
  /** The shape that it gives. */
  output: Shape = [];
  /** Whether it writes one of many steps, whose values have no names. */
  #isStep = false;
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
      return { kind: 'real', value: this.graph.node('MatMul', [this.float(x), weights]) };
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
      value: this.graph.node('Conv', [this.float(signal), weights], attributes),
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
    return onPlane(normalised(this, this.float(x), plane, mean, deviation), plane);
  }

  multiply(x: Signal, factor: Signal | number): Signal {
    if (typeof factor === 'number') return this.#real('Mul', x, scalar(this.graph, factor));
    if (factor.kind === 'real') return this.#real('Mul', x, factor.value);
    return this.#affine(x, 'multiply', parameter(factor));
  }

  add(x: Signal, term: Signal): Signal {
    if (term.kind === 'parameter') return this.#affine(x, 'add', term);
    if (x.kind === 'whole' || term.kind === 'whole') {
      const [first, second] = [this.#channelsFirst(x), this.#channelsFirst(term)];
      const sum = first.kind === 'whole' && second.kind === 'whole' && wholeSum(this, first, second);
      return sum || this.#real('Add', first, this.float(second));
    }
    return this.#real('Add', x, this.float(term));
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
      const kept = graph.node('Sub', [scalar(graph, 1), this.float(spikes)]);
      return this.#real('Mul', membrane, kept);
    }
    const limit = this.#amount(threshold, planeOf(membrane));
    return this.#real('Sub', membrane, graph.node('Mul', [this.float(spikes), limit]));
  }

  detach(x: Signal): Signal {
    return x;
  }

  read(current: Signal): Signal {
    return { kind: 'real', value: this.float(current) };
  }

  overTime(x: Signal, how: OverTime): Signal {
    return readOverTime(this, x, how, this.output);
  }

  scan(scan: Scan<Signal>): Signal {
    return scanned(this, scan);
  }

  inside(body: Graph): GraphOps {
    const inner = new GraphOps(body, this.shared);
    inner.scope = this.scope;
    inner.#isStep = true;
    return inner;
  }

  /** The value of a layer's spikes, for whoever asks for it: [batch, …features] as in the model. */
  observable(signal: Signal): Value {
    const { graph, scope } = this;
    const { plane, value } = this.#carried(signal);
    if (value === scope) return value;
    const isFloat = signal.kind === 'whole' && signal.type === 'float32';
    const named = { output: scope };
    const turned = plane
      ? graph.node('Transpose', [value], { perm: [0, 2, 3, 1] }, isFloat ? {} : named)
      : value;
    return isFloat ? graph.node('Cast', [turned], { to: UINT8 }, named) : turned;
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

  #affine(x: Signal, by: AffineStep['by'], given: ParameterSignal): Signal {
    const { name, tensor } = given;
    if (tensor.values !== 'real') throw new Error(`${name}: expected a real parameter`);
    if (x.kind === 'sum') return { ...x, steps: [...x.steps, { by, name, amounts: tensor.data }] };
    const plane = planeOf(x);
    const numbers = ofSteps(given, plane);
    if (numbers) {
      const value = atEachStep(this, operators[by], this.float(x), numbers);
      return onPlane({ kind: 'real', value }, plane);
    }
    const dims = channelShape(tensor.data.length, plane);
    return this.#real(operators[by], x, this.shared.real(name, dims, tensor.data));
  }

  #real(op: string, x: Signal, by: Value): RealSignal {
    return onPlane({ kind: 'real', value: this.graph.node(op, [this.float(x), by]) }, planeOf(x));
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
    const { sections, weights } = this.shared;
    // All steps of a layer share them.
    const unpacked = sections.within(sections.named(this.scope), () =>
      weights.unpack(name, stored, shape, 'float32'),
    );
    const sums = this.graph.node('MatMul', [x.value, unpacked]);
    const value = signs.includes(0) ? this.graph.node('Sub', [sums, x.value]) : sums;
    return { kind: 'real', value };
  }

  /** The float32 numbers that a signal stands for. */
  float(x: Signal): Value {
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
    const fires = this.graph.node('Greater', [this.float(membrane), threshold]);
    const [type, to] = this.shared.floats ? (['float32', FLOAT32] as const) : (['uint8', UINT8] as const);
    const value = this.graph.node('Cast', [fires], { to }, this.#isStep ? {} : nameOf(this, plane));
    return onPlane({ kind: 'whole', value, unit: 1, most: 1, stored: 1, type }, plane);
  }
}
