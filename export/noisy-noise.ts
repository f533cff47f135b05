import type { NoiseDescription } from '../schemas/description.ts';
import type { Shape } from '../schemas/layer.ts';
import type { Dimension, Graph, Value } from '../schemas/onnx/index.ts';
import type { TimeAxis } from './graph-shared.ts';
import type { Plane } from './signal.ts';

/** Who draws: neurons noise of their own distribution, a readout always Gaussian noise. */
export type Drawer = 'neuron' | 'readout';

/** The inputs of a graph that take standard noise. */
export class NoiseInputs {
  readonly inputs: NoiseDescription[] = [];
  readonly #graph: Graph;
  readonly #time: TimeAxis | undefined;
  readonly #neurons: NoiseDescription['distribution'] | 'none';

  /** @param neurons the distribution of the noise of neurons */
  constructor(graph: Graph, time: TimeAxis | undefined, neurons: NoiseDescription['distribution'] | 'none') {
    this.#graph = graph;
    this.#time = time;
    this.#neurons = neurons;
  }

  /**
   * One more input of noise, its features in the order of the model.
   *
   * @param features shape for one example
   * @returns [time, batch, …features], channels first on planes; undefined where neurons have none
   */
  add(layer: string, by: Drawer, features: Shape, plane: Plane | undefined): Value | undefined {
    const distribution = by === 'readout' ? 'gaussian' : this.#neurons;
    if (distribution === 'none') return undefined;
    const graph = this.#graph;
    const first = `noise.${layer}`;
    let input = first;
    for (let count = 2; this.inputs.some((known) => known.input === input); count++)
      input = `${first}.${count}`;
    const dims: Dimension[] = [...(this.#time ? ['time'] : []), 'batch', ...features];
    this.inputs.push({ input, dims, distribution });
    const value = graph.input(input, 'float32', dims);
    if (!plane) return value;
    const perm = this.#time ? [0, 1, 4, 2, 3] : [0, 3, 1, 2];
    return graph.node('Transpose', [value], { perm });
  }
}
