/** What a layer of spiking neurons did. */
export interface LayerHistory {
  readonly units: number;
  /** Of the membrane: above it a neuron fires. */
  readonly threshold: number;
  /** One array per step: not 0 where a neuron fired. */
  readonly spikes: Uint8Array[];
  /** One array per step: each neuron's membrane after it. */
  readonly membranes: Float32Array[];
}

/** What the spiking network did since it began to look. */
export interface History {
  /** Steps that there will be. */
  readonly most: number;
  readonly layers: readonly LayerHistory[];
  /** After each step. */
  readonly probabilities: Float32Array[];
  /** Pixels that fired last. */
  input: Float32Array | undefined;
}
