import { timeFrames } from '../../schemas/encoders/index.ts';
import { sizeOf } from '../../schemas/layer.ts';
import { dense } from '../../schemas/layers/dense.ts';
import type { lif } from '../../schemas/layers/lif.ts';
import { readout } from '../../schemas/layers/readout.ts';
import { recurrent } from '../../schemas/layers/recurrent.ts';
import type { ModelDefinition } from '../../schemas/model.ts';
import type { DataFacts, EventFacts, SequenceFacts } from './facts.ts';
import { paperNeuron } from './paper.ts';
import { perStepOf, requireKind } from './recipe.ts';

/** The longest recording in so many frames, up to the next tenth of a second: 1.4 s for the Heidelberg digits. */
const frames = ({ longest }: EventFacts, steps: number, downsample: number) =>
  timeFrames({
    steps,
    duration: (Math.floor(longest * 10) + 1) / 10,
    values: 'counts',
    ...(downsample > 1 && { downsample }),
  });

/** Counts of events, of so many neighbouring channels together; sequences as they are. */
function inputOf(
  data: EventFacts | SequenceFacts,
  steps: number,
  downsample: number,
): Pick<ModelDefinition, 'input' | 'encoder' | 'steps'> {
  const channels = sizeOf(data.shape);
  return data.kind === 'events'
    ? {
        input: { type: 'uint8', shape: [Math.ceil(channels / downsample)], scale: 1 },
        encoder: frames(data, steps, downsample),
      }
    : { input: { type: 'uint8', shape: [channels], scale: data.scale }, steps: data.steps };
}

/**
 * Recurrent layers of leaky neurons, and the mean of a linear readout over time, on counts of events.
 *
 * @param steps that recordings are cut into
 */
export function recurrentNetwork(
  recipe: string,
  data: DataFacts,
  {
    steps,
    downsample = 1,
    hidden,
    neuron = paperNeuron,
    perStep = false,
  }: {
    readonly steps: number;
    /** Neighbouring channels of events that are counted together. */
    readonly downsample?: number;
    readonly hidden: readonly number[];
    readonly neuron?: ReturnType<typeof lif>;
    /** Whether every step has gains and biases of its own. */
    readonly perStep?: boolean;
  },
): ModelDefinition {
  const spikes = requireKind(recipe, data, ['events', 'sequences']);
  const input = inputOf(spikes, steps, downsample);
  const own = perStepOf(perStep, input);
  return {
    ...input,
    layers: [
      ...hidden.map((units) => recurrent({ units, ...own, neuron })),
      dense({ units: spikes.classes, ...own }),
      readout({ over: 'mean' }),
    ],
  };
}
