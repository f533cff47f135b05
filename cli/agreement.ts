import { type Network, runOracle } from '../export/index.ts';
import type { LoadedNetwork, Output } from '../runtime/index.ts';
import { sizeOf } from '../schemas/layer.ts';
import { classesOf } from '../schemas/model.ts';

/** How an exported network and the float64 oracle differ. */
export interface Agreement {
  readonly examples: number;
  /** Hidden activations compared, and how many of them differ. */
  readonly activations: number;
  readonly differingActivations: number;
  readonly differingPredictions: number;
}

/** Examples that both run at a time. */
const CHUNK = 500;

/**
 * Holds an exported network against the oracle, activation by activation, on one device or several.
 *
 * @param network of one member
 * @param devices the same network, loaded with all its layers observed
 * @param onProgress told after some examples how many are done
 * @returns one for each device
 */
export async function compareWithOracle(
  network: Network,
  devices: readonly LoadedNetwork[],
  inputs: Uint8Array | Float32Array,
  onProgress: (done: number, examples: number) => void = () => {},
): Promise<Agreement[]> {
  const [member, ...others] = network.members;
  if (!member || others.length > 0) throw new Error('expected a network of one member');
  const size = sizeOf(network.model.input.shape);
  const classes = classesOf(network.model);
  const examples = inputs.length / size;
  const found = devices.map(() => ({
    examples,
    activations: 0,
    differingActivations: 0,
    differingPredictions: 0,
  }));
  for (let start = 0; start < examples; start += CHUNK) {
    const chunk = inputs.subarray(start * size, (start + CHUNK) * size);
    const oracle = runOracle(network, member, chunk);
    for (const [device, loaded] of devices.entries()) {
      const told = found[device]!;
      const outputs: Readonly<Record<string, Output | undefined>> = await loaded.run(chunk);
      for (const name of loaded.description.layers[0] ?? []) {
        const theirs = outputs[name]?.data;
        const ours = oracle.layers[name];
        if (!ours || theirs?.length !== ours.length) throw new Error(`layer ${name} is not the same layer`);
        told.activations += ours.length;
        // A spike is 1 to the oracle, and 255 or 1 in the graph.
        for (let index = 0; index < ours.length; index++) {
          if ((ours[index] as number) > 0 !== (theirs[index] as number) > 0) told.differingActivations++;
        }
      }
      told.differingPredictions += countDiffering(oracle.logits, outputs['logits']?.data ?? [], classes);
    }
    onProgress(Math.min(start + CHUNK, examples), examples);
  }
  return found;
}

/** In how many rows the largest number stands elsewhere. */
function countDiffering(a: ArrayLike<number>, b: ArrayLike<number>, classes: number): number {
  let differing = 0;
  for (let start = 0; start < a.length; start += classes) {
    if (largest(a, start, classes) !== largest(b, start, classes)) differing++;
  }
  return differing;
}

function largest(values: ArrayLike<number>, start: number, count: number): number {
  let best = 0;
  for (let index = 1; index < count; index++) {
    if ((values[start + index] as number) > (values[start + best] as number)) best = index;
  }
  return best;
}
