import { UserError } from '../schemas/errors.ts';
import { type Parameter, type Shape, sizeOf } from '../schemas/layer.ts';
import { parametersOf } from '../schemas/model.ts';
import type { Graph, Value } from '../schemas/onnx/index.ts';
import { decayOfRaw, learnedTensor, type Posterior } from '../schemas/posterior.ts';
import { softplus } from './decisions.ts';
import { arranged, filtersFirst } from './graph-planes.ts';
import { channelShape, scalar } from './graph-values.ts';
import type { Plane } from './signal.ts';

/** The mean and the variance of weights, as values of a graph. */
export interface WeightMoments {
  /** [inputs, outputs]; of filters [filters, channels / groups, height, width]. */
  readonly mean: Value;
  /** Of the mean's shape; or [1, outputs], [1, 1] where all inputs, or all weights, share it. */
  readonly variance: Value;
  readonly isShared: boolean;
}

/** What a posterior believes of a network's parameters, written into a graph as they are needed, once each. */
export class NoisyParameters {
  readonly #graph: Graph;
  readonly #posterior: Posterior;
  readonly #parameters: Readonly<Record<string, Parameter>>;
  readonly #written = new Map<string, Value>();
  readonly #weights = new Map<string, WeightMoments>();

  constructor(graph: Graph, posterior: Posterior) {
    this.#graph = graph;
    this.#posterior = posterior;
    this.#parameters = parametersOf(posterior.model);
  }

  /** Whether gains leave the variance of currents as it is: Gaussian weights carry the noise of the current. */
  get scalesMeanOnly(): boolean {
    return this.#posterior.family === 'gaussian';
  }

  shapeOf(name: string): Shape {
    return (this.#parameters[name] as Parameter).shape;
  }

  weight(name: string): WeightMoments {
    const known = this.#weights.get(name);
    if (known) return known;
    const moments = this.#posterior.family === 'bernoulli' ? this.#signs(name) : this.#normal(name);
    this.#weights.set(name, moments);
    return moments;
  }

  /** A gain, bias, decay or threshold, in the shape that broadcasts over activations. */
  point(name: string, plane: Plane | undefined): Value {
    const { role, shape, perStep } = this.#parameters[name] as Parameter;
    if (perStep) {
      throw new UserError(
        `export: ${name} has numbers for every time step (perStep), which a network with noise as an input cannot have yet; export it frozen, or train it without perStep`,
      );
    }
    const data = role === 'decay' ? this.#part(name, 'raw').map(decayOfRaw) : this.#part(name, 'value');
    return this.#initializer(name, channelShape(sizeOf(shape), plane), data);
  }

  /** The variance of a bias, [1]; undefined for parameters that are certain. */
  firingVariance(name: string): Value | undefined {
    if (this.#parameters[name]?.role !== 'bias') return undefined;
    const data = this.#part(name, 'rho').map((rho) => softplus(rho) ** 2);
    return this.#initializer(`${name}.variance`, [1], data);
  }

  /** E[w] = tanh(λ/τ) of weights −1 and +1, whose variance is 1 − E[w]². */
  #signs(name: string): WeightMoments {
    const graph = this.#graph;
    const temperature = this.#posterior.family === 'bernoulli' ? (this.#posterior.temperature ?? 1) : 1;
    const mean = this.#means(
      name,
      this.#part(name, 'lambda').map((lambda) => Math.tanh(lambda / temperature)),
    );
    const all = graph.node('Sub', [scalar(graph, 1), graph.node('Mul', [mean, mean])]);
    const { noSelfConnection } = this.#parameters[name] as Parameter;
    const variance = noSelfConnection ? graph.node('Sub', [all, graph.node('EyeLike', [mean])]) : all;
    return { mean, variance, isShared: false };
  }

  #normal(name: string): WeightMoments {
    const { shape, noSelfConnection } = this.#parameters[name] as Parameter;
    const mean = this.#means(name, this.#part(name, 'mu'));
    const squares = this.#part(name, 'rho').map((rho) => softplus(rho) ** 2);
    const isShared = squares.length !== sizeOf(shape);
    const own = `${name}.variance`;
    if (isShared) {
      return { mean, variance: this.#initializer(own, [1, squares.length], squares), isShared };
    }
    const data = noSelfConnection ? withoutSelf(squares, shape) : squares;
    return { mean, variance: this.#tensor(own, shape, data), isShared };
  }

  #means(name: string, data: Float32Array): Value {
    const { shape, noSelfConnection } = this.#parameters[name] as Parameter;
    return this.#tensor(name, shape, noSelfConnection ? withoutSelf(data, shape) : data);
  }

  /** A weight in the order in which operators want it. */
  #tensor(name: string, shape: Shape, data: Float32Array): Value {
    return shape.length === 4
      ? this.#initializer(name, filtersFirst(shape), arranged(data, shape))
      : this.#initializer(name, shape, data);
  }

  #initializer(name: string, dims: Shape, data: Float32Array): Value {
    const value =
      this.#written.get(name) ?? this.#graph.initializer(name, { type: 'float32', dims: [...dims], data });
    this.#written.set(name, value);
    return value;
  }

  #part = (name: string, part: string): Float32Array =>
    learnedTensor(this.#posterior, `${name}.${part}`).data;
}

/** 0 on the diagonal: a unit has no weight on itself. */
function withoutSelf(data: Float32Array, [size = 0]: Shape): Float32Array {
  return data.map((value, index) => (index % (size + 1) === 0 ? 0 : value));
}
