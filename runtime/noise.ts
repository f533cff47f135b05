/** Noise for networks that take it as an input, so that every run draws its weights anew. */
import { z } from 'zod';
import type { Description, NoiseDescription } from '../schemas/description.ts';
import { gaussian, logistic } from '../schemas/distributions.ts';
import { UserError } from '../schemas/errors.ts';
import { checkOptions, sizeOf } from '../schemas/layer.ts';
import { Random, type RandomState } from '../schemas/random.ts';
import { timeOutermost } from './examples.ts';
import type { HostTensor } from './runner.ts';

/** The noise inputs of a network; most have none. */
export const noiseOf = ({ noise = [] }: Description): readonly NoiseDescription[] => noise;

const drawsSchema = z.strictObject({
  samples: z.int().min(1).max(65_536).default(1).meta({
    description: 'Runs of every example, each with noise of its own, whose answers are averaged.',
  }),
  seed: z
    .int()
    .min(0)
    .default(1)
    .meta({ description: 'Decides the noise: the same seed gives the same bits.' }),
});

/** How often, and with which noise, a network that takes noise answers. */
export type Draws = z.input<typeof drawsSchema>;
type CheckedDraws = z.output<typeof drawsSchema>;

/** @throws UserError for wrong options, and for any where the network takes no noise */
export function checkDraws(description: Description, draws: Draws, what: string): CheckedDraws {
  const checked = checkOptions(drawsSchema, draws, what);
  if (noiseOf(description).length > 0 || Object.keys(draws).length === 0) return checked;
  throw new UserError(
    `${what}: this network takes no noise, so samples and seed decide nothing; export one that does with --noise input`,
  );
}

/** The noise of one run after another. Each input has a stream of its own, so that inputs do not depend on others. */
export class NoiseFeed {
  readonly #inputs: readonly (NoiseDescription & { readonly units: number })[];
  #streams: Random[];

  /** @param sample the number of the draw; each has other noise */
  constructor(inputs: readonly NoiseDescription[], seed: number, sample: number) {
    this.#inputs = inputs.map((input) => ({
      ...input,
      units: sizeOf(input.dims.filter((size) => typeof size === 'number')),
    }));
    this.#streams = inputs.map(({ input }) => Random.fromSeed(seed, `${input} ${sample}`));
  }

  /** For whole examples: what an example gets does not depend on those that run with it. */
  forExamples(steps: number, batch: number): Record<string, HostTensor> {
    return this.#feeds(steps, batch, (drawn, units, inTime) =>
      inTime ? timeOutermost(drawn, steps, units) : drawn,
    );
  }

  /** For the next steps of some streams: what a step gets does not depend on the steps that run with it. */
  forSteps(steps: number, batch: number): Record<string, HostTensor> {
    return this.#feeds(steps, batch, (drawn) => drawn);
  }

  /** The states of the generators, for `restore`. */
  save(): RandomState[] {
    return this.#streams.map((stream) => stream.save());
  }

  /** @throws UserError when they are none */
  restore(states: readonly RandomState[]): void {
    this.#streams = states.map((state) => Random.restore(state));
  }

  #feeds(
    steps: number,
    batch: number,
    arrange: (drawn: Float32Array, units: number, inTime: boolean) => Float32Array,
  ): Record<string, HostTensor> {
    const sizes: Readonly<Record<string, number>> = { time: steps, batch };
    return Object.fromEntries(
      this.#inputs.map(({ input, dims, distribution, units }, index) => {
        const shape = dims.map((size) => (typeof size === 'number' ? size : (sizes[size] as number)));
        const drawn = new Float32Array(sizeOf(shape));
        const random = this.#streams[index] as Random;
        for (let at = 0; at < drawn.length; at++) drawn[at] = draw[distribution](random);
        const data = arrange(drawn, units, dims.includes('time'));
        return [input, { type: 'float32', dims: shape, data }];
      }),
    );
  }
}

/** One number of each distribution, standard. */
const draw: Readonly<Record<NoiseDescription['distribution'], (random: Random) => number>> = {
  gaussian,
  logistic,
};
