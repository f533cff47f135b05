import { type Shape, sizeOf } from '../schemas/layer.ts';
import type { Graph, Value } from '../schemas/onnx/index.ts';
import type { Convolution, Ops, OverTime, PoolKind, Reset, Scan } from '../schemas/ops.ts';
import type { Window } from '../schemas/window.ts';
import {
  convolvedPlane,
  filtersFirst,
  flattened,
  normalised,
  pooled,
  widened,
  windowAttributes,
} from './graph-planes.ts';
import type { Shared } from './graph-shared.ts';
import { FLOAT32, integers, scalar } from './graph-values.ts';
import type { Drawer, NoiseInputs } from './noisy-noise.ts';
import type { NoisyParameters } from './noisy-parameters.ts';
import { noisy, type NoisySignal, type NoisyValue, parameterOf, valueOf } from './noisy-signal.ts';
import { scanNoisy } from './noisy-time.ts';
import type { Plane, RealSignal } from './signal.ts';

/** What all parts of a noisy graph share, the bodies of its loops too. */
export interface NoisyContext {
  readonly shared: Shared;
  readonly parameters: NoisyParameters;
  readonly noise: NoiseInputs;
  /** Multiplies σ of every neuron, and of no readout. */
  readonly noiseScale: number;
}

/** Noise for what is drawn at every step: [batch, …] of one step, or [time × batch, …]; undefined where there is none. */
export type DrawNoise = (by: Drawer, plane: Plane | undefined) => Value | undefined;

/**
 * The interpreter of layers that writes what training computes: means and variances of currents by local
 * reparameterisation, of which neurons and the readout sample with noise that the graph is fed.
 */
export class NoisyOps implements Ops<NoisySignal> {
  /** Where the layer that is being written begins its names. */
  scope = '';
  /** The shape that it gives. */
  output: Shape = [];
  readonly graph: Graph;
  readonly context: NoisyContext;
  readonly #draw: DrawNoise;

  /** @param draw how a step of a loop draws; without, noise is an input for all times at once */
  constructor(graph: Graph, context: NoisyContext, draw?: DrawNoise) {
    this.graph = graph;
    this.context = context;
    this.#draw = draw ?? ((by, plane) => this.#drawAll(by, plane));
  }

  get shared(): Shared {
    return this.context.shared;
  }

  linear(x: NoisySignal, weight: NoisySignal): NoisyValue {
    const { graph } = this;
    const { mean, binary } = valueOf(x);
    const moments = this.context.parameters.weight(parameterOf(weight));
    const squares = binary ? mean : graph.node('Mul', [mean, mean]);
    const variance = moments.isShared
      ? graph.node('Mul', [
          graph.node('ReduceSum', [squares, integers(graph, [-1])], { keepdims: 1 }),
          moments.variance,
        ])
      : graph.node('MatMul', [squares, moments.variance]);
    return noisy({ mean: graph.node('MatMul', [mean, moments.mean]), variance });
  }

  conv2d(x: NoisySignal, weight: NoisySignal, how: Convolution): NoisyValue {
    const { graph } = this;
    const { parameters } = this.context;
    const { mean, binary, plane: from } = this.#channelsFirst(x);
    const name = parameterOf(weight);
    const shape = parameters.shapeOf(name);
    const moments = parameters.weight(name);
    const plane = convolvedPlane(from as Plane, shape, how);
    const attributes = windowAttributes(from as Plane, shape, how);
    const squares = binary ? mean : graph.node('Mul', [mean, mean]);
    const found = { mean: graph.node('Conv', [mean, moments.mean], attributes) };
    if (!moments.isShared) {
      return noisy(
        { ...found, variance: graph.node('Conv', [squares, moments.variance], attributes) },
        { plane },
      );
    }
    // Filters that share a variance see the same sum of squares, but for those of another group.
    const filters = how.groups === 1 ? 1 : (shape.at(-1) as number);
    const ones = filtersFirst([...shape.slice(0, -1), filters]);
    const sums = graph.node('Conv', [squares, this.#ones(ones)], attributes);
    const each = graph.node('Reshape', [moments.variance, integers(graph, [-1, 1, 1])]);
    return noisy({ ...found, variance: graph.node('Mul', [sums, each]) }, { plane });
  }

  // Signals are certain: neurons sampled them.

  pool(x: NoisySignal, kind: PoolKind, window?: Window): NoisyValue {
    const signal = this.#channelsFirst(x);
    const { value, plane } = pooled(this, realOf(signal), kind, window);
    return noisy({ mean: value }, { plane, binary: kind === 'maximum' ? signal.binary : undefined });
  }

  flatten(x: NoisySignal): NoisyValue {
    const { binary } = valueOf(x);
    return noisy({ mean: flattened(this, realOf(valueOf(x))).value }, { binary });
  }

  padChannels(x: NoisySignal, count: number): NoisyValue {
    const signal = this.#channelsFirst(x);
    const { value, plane } = widened(this, realOf(signal), count);
    return noisy({ mean: value }, { plane, binary: signal.binary });
  }

  normalise(x: NoisySignal, mean: readonly number[], deviation: readonly number[]): NoisyValue {
    const { mean: value, plane } = valueOf(x);
    return noisy({ mean: normalised(this, value, plane, mean, deviation).value }, { plane });
  }

  multiply(x: NoisySignal, factor: NoisySignal | number): NoisyValue {
    const value = valueOf(x);
    const by = this.#amount(factor, value.plane);
    const keeps = typeof factor !== 'number' && this.context.parameters.scalesMeanOnly;
    const mean = this.graph.node('Mul', [value.mean, by]);
    const { plane, firingMoves } = value;
    return noisy({ ...(keeps ? value : this.#scaled(value, by)), mean }, { plane, firingMoves });
  }

  add(x: NoisySignal, term: NoisySignal): NoisyValue {
    if (term.kind === 'parameter') {
      const { plane, firingMoves, ...value } = valueOf(x);
      const noise = this.context.parameters.firingVariance(term.name);
      const mean = this.graph.node('Add', [value.mean, this.#amount(term, plane)]);
      const firingVariance = this.#sum(value.firingVariance, noise);
      return noisy({ ...value, mean, firingVariance }, { plane, firingMoves });
    }
    const [a, b] = [this.#channelsFirst(x), this.#channelsFirst(term)];
    return noisy(
      {
        mean: this.graph.node('Add', [a.mean, b.mean]),
        variance: this.#sum(a.variance, b.variance),
        firingVariance: this.#sum(a.firingVariance, b.firingVariance),
      },
      { plane: a.plane, firingMoves: a.firingMoves ?? b.firingMoves },
    );
  }

  /** 1 where (U − θ)/σ + ε > 0. */
  spike(membrane: NoisySignal, threshold: NoisySignal | number): NoisyValue {
    const { graph } = this;
    const { noiseScale } = this.context;
    const { mean, plane, ...spread } = valueOf(membrane);
    const variance = this.#sum(spread.variance, spread.firingVariance);
    if (!variance) throw new Error(`${this.scope}: a neuron fires on a certain current`);
    const unscaled = graph.node('Sqrt', [variance]);
    const deviation = noiseScale === 1 ? unscaled : graph.node('Mul', [unscaled, scalar(graph, noiseScale)]);
    const drive = graph.node('Sub', [mean, this.#amount(threshold, plane)]);
    const ratio = graph.node('Div', [drive, deviation]);
    const noise = this.#draw('neuron', plane);
    const fires = graph.node('Greater', [
      noise ? graph.node('Add', [ratio, noise]) : ratio,
      scalar(graph, 0),
    ]);
    return noisy({ mean: graph.node('Cast', [fires], { to: FLOAT32 }) }, { plane, binary: true });
  }

  /** The noise of a bias belongs to the moment that is over. */
  leak(membrane: NoisySignal, decay: NoisySignal | number): NoisyValue {
    const { firingVariance: _, ...value } = valueOf(membrane);
    if (decay === 1) return noisy(value, { plane: value.plane });
    const by = this.#amount(decay, value.plane);
    const mean = this.graph.node('Mul', [value.mean, by]);
    return noisy({ mean, ...this.#scaled(value, by) }, { plane: value.plane });
  }

  reset(membrane: NoisySignal, spikes: NoisySignal, threshold: NoisySignal | number, to: Reset): NoisyValue {
    const { mean, variance, plane } = valueOf(membrane);
    const by = to === 'zero' ? mean : this.#amount(threshold, plane);
    const lost = this.graph.node('Mul', [valueOf(spikes).mean, by]);
    return noisy({ mean: this.graph.node('Sub', [mean, lost]), variance }, { plane });
  }

  detach(x: NoisySignal): NoisySignal {
    return x;
  }

  /** I + σ ε. */
  read(current: NoisySignal): NoisyValue {
    const { graph } = this;
    const { mean, variance, firingVariance, plane } = valueOf(current);
    const total = this.#sum(variance, firingVariance);
    const noise = total && this.#draw('readout', plane);
    if (!total || !noise) return noisy({ mean }, { plane });
    return noisy(
      { mean: graph.node('Add', [mean, graph.node('Mul', [graph.node('Sqrt', [total]), noise])]) },
      { plane },
    );
  }

  overTime(x: NoisySignal, how: OverTime): NoisyValue {
    const { graph } = this;
    const { time } = this.shared;
    const value = valueOf(x);
    if (!time) return value;
    const sequence = time.unfolded(graph, value.mean);
    const first = integers(graph, [0]);
    const last = () => graph.constant({ type: 'int64', dims: [], data: BigInt64Array.of(-1n) });
    const reduced = {
      mean: () => graph.node('ReduceMean', [sequence, first], { keepdims: 0 }),
      maximum: () => graph.node('ReduceMax', [sequence, first], { keepdims: 0 }),
      last: () => graph.node('Gather', [sequence, last()], { axis: 0 }),
    };
    return noisy({ mean: reduced[how]() });
  }

  scan(scan: Scan<NoisySignal>): NoisyValue {
    return scanNoisy(this, scan);
  }

  /** The same in the body of a loop. */
  inside(body: Graph, draw: DrawNoise): NoisyOps {
    const inner = new NoisyOps(body, this.context, draw);
    inner.scope = this.scope;
    return inner;
  }

  /** Noise for all times at once. */
  #drawAll(by: Drawer, plane: Plane | undefined): Value | undefined {
    const noise = this.context.noise.add(this.scope, by, this.output, plane);
    const { time } = this.shared;
    return noise && time ? time.folded(this.graph, noise) : noise;
  }

  #amount(of: NoisySignal | number, plane: Plane | undefined): Value {
    return typeof of === 'number'
      ? scalar(this.graph, of)
      : this.context.parameters.point(parameterOf(of), plane);
  }

  #scaled({ variance, firingVariance }: NoisyValue, by: Value) {
    const { graph } = this;
    const square = graph.node('Mul', [by, by]);
    const scaled = (value: Value | undefined) => value && graph.node('Mul', [value, square]);
    return { variance: scaled(variance), firingVariance: scaled(firingVariance) };
  }

  #sum(a: Value | undefined, b: Value | undefined): Value | undefined {
    return a && b ? this.graph.node('Add', [a, b]) : (a ?? b);
  }

  #ones(dims: Shape): Value {
    const data = new Float32Array(sizeOf(dims)).fill(1);
    return this.graph.constant({ type: 'float32', dims: [...dims], data });
  }

  #channelsFirst(x: NoisySignal): NoisyValue {
    const value = valueOf(x);
    if (!value.plane?.channelsLast) return value;
    const { channelsLast: _, ...plane } = value.plane;
    return { ...value, mean: this.graph.node('Transpose', [value.mean], { perm: [0, 3, 1, 2] }), plane };
  }
}

const realOf = ({ mean, plane }: NoisyValue): RealSignal => ({
  kind: 'real',
  value: mean,
  ...(plane && { plane }),
});
