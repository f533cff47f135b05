import { z } from 'zod';
import type { Description, StateDescription } from '../schemas/description.ts';
import { UserError } from '../schemas/errors.ts';
import { checkOptions, sizeOf } from '../schemas/layer.ts';
import { stepsOf } from '../schemas/model.ts';
import { type Classification, classificationsOf } from './answers.ts';
import { kindOf } from './examples.ts';
import { checkDraws, NoiseFeed, noiseOf } from './noise.ts';
import { type Output, withTime } from './outputs.ts';
import { expectClasses } from './regression.ts';
import type { HostTensor, HostTensors, Runner } from './runner.ts';
import { readSnapshot, writeSnapshot } from './snapshot.ts';
import { streamCalls, type StreamCalls } from './stream-calls.ts';
import { clearStreams, zeroStates } from './states.ts';

const streamOptionsSchema = z.strictObject({
  batch: z.int().min(1).max(1_048_576).default(1).meta({ description: 'Streams side by side.' }),
  seed: z.int().min(0).exactOptional().meta({
    description: 'Decides the noise of a network that takes some; 1 unless given.',
  }),
});

/** How many streams go side by side, and the seed of their noise: options of `stream`. */
export type StreamOptions = z.input<typeof streamOptionsSchema>;

/** @throws UserError when a file is not one that can be streamed */
export function checkStreams({ model, states }: Description): void {
  if (states !== undefined && states.length > 0) return;
  throw new UserError(
    stepsOf(model) === 1
      ? 'stream: this network has no time, so there is nothing to carry from step to step; classify its inputs'
      : 'stream: this file takes whole sequences; export the network with --stream',
  );
}

/** What a stream needs of the network that it goes through. */
interface Source {
  readonly description: Description;
  /** Outputs of its graph that are no states. */
  readonly outputs: readonly string[];
  /** Of the file. */
  readonly hash: string;
}

/**
 * Streams through a network: they go on where the last call left them. Made by `LoadedNetwork.stream`; it needs no
 * closing, and ends with its network.
 */
export class StreamSession {
  /** Streams side by side. */
  readonly batch: number;
  readonly #source: Source;
  readonly #states: readonly StateDescription[];
  readonly #observed: ReadonlySet<string>;
  /** Numbers in one step of all streams. */
  readonly #width: number;
  readonly #noise: NoiseFeed;
  readonly #calls: StreamCalls;
  #isBusy = false;

  constructor(runner: Runner, source: Source, options: StreamOptions) {
    const { batch, ...draws } = checkOptions(streamOptionsSchema, options, 'stream');
    const { description, outputs } = source;
    const { seed } = checkDraws(description, draws, 'stream');
    const { input } = description.model;
    this.batch = batch;
    this.#source = source;
    this.#states = description.states ?? [];
    this.#observed = new Set(description.layers.flat());
    this.#width = batch * sizeOf(input.shape);
    this.#noise = new NoiseFeed(noiseOf(description), seed, 0);
    const plan = { input, batch, outputs, carried: this.#states };
    this.#calls = streamCalls(runner, plan, zeroStates(this.#states, batch));
  }

  /**
   * Takes the next step, or the next steps, of every stream.
   *
   * @param steps [steps, batch, …] row-major: the first step of every stream, then the second, …
   * @returns the outputs of the graph after the last of them, and of observed layers [steps, batch, …]
   * @throws UserError when they are not whole steps of the type that the network takes, or a call is still running
   */
  async push(steps: Uint8Array | Float32Array): Promise<Record<string, Output>> {
    this.#checkIdle('push');
    const count = this.#countOf(steps);
    this.#isBusy = true;
    try {
      const found = this.#calls.take(steps, count, this.#noiseFor(count));
      return this.#gave(found instanceof Promise ? await found : found, count);
    } finally {
      this.#isBusy = false;
    }
  }

  /** As `push`, with the most probable class of every stream so far. @throws UserError as it does */
  async classify(steps: Uint8Array | Float32Array): Promise<Classification[]> {
    const { description } = this.#source;
    expectClasses(description, 'classify', 'push');
    return classificationsOf(await this.push(steps), description.classes);
  }

  /**
   * Begins anew: all streams, or those of these numbers.
   *
   * @throws UserError for a stream that there is not, or while a call is running
   */
  reset(streams?: readonly number[]): void {
    this.#checkIdle('reset');
    const { states } = this.#calls;
    if (!streams) {
      for (const { input } of this.#states) (states[input] as HostTensor).data.fill(0 as never);
      return;
    }
    const odd = streams.find((stream) => !Number.isInteger(stream) || stream < 0 || stream >= this.batch);
    if (odd !== undefined) {
      throw new UserError(`reset: there is no stream ${odd}; expected numbers from 0 to ${this.batch - 1}`);
    }
    const shared = this.#states.find(({ dims }) => !dims.includes('batch'));
    if (shared) {
      throw new UserError(`reset: state ${shared.name} is one for all streams, so only all can be reset`);
    }
    for (const state of this.#states)
      clearStreams(state, states[state.input] as HostTensor, streams, this.batch);
  }

  /**
   * All that the streams remember, as bytes to keep or send: a safetensors file. `restore` takes it, here or in another
   * session of the same file, on any device.
   *
   * @throws UserError while a call is running
   */
  snapshot(): Uint8Array {
    this.#checkIdle('snapshot');
    const { hash } = this.#source;
    return writeSnapshot(this.#states, this.#calls.states, {
      hash,
      batch: this.batch,
      noise: this.#noise.save(),
    });
  }

  /**
   * Goes on where a snapshot was taken.
   *
   * @throws UserError when it is damaged, or of another file, number of streams or version; nothing is changed then
   */
  restore(snapshot: Uint8Array): void {
    this.#checkIdle('restore');
    const { states, noise } = readSnapshot(this.#states, snapshot, {
      hash: this.#source.hash,
      batch: this.batch,
      noise: this.#noise.save(),
    });
    this.#noise.restore(noise);
    this.#calls.restore(states);
  }

  #checkIdle(what: string): void {
    if (this.#isBusy) throw new UserError(`${what}: the last push is still running; await it first`);
  }

  /** How many steps they are. */
  #countOf(steps: Uint8Array | Float32Array): number {
    const { shape, type } = this.#source.description.model.input;
    const Wanted = type === 'uint8' ? Uint8Array : Float32Array;
    if (!(steps instanceof Wanted)) {
      throw new UserError(`push: the model takes ${type}, give a ${Wanted.name} (got a ${kindOf(steps)})`);
    }
    const count = steps.length / this.#width;
    if (!Number.isInteger(count) || count === 0) {
      throw new UserError(
        `push: a step is [${[this.batch, ...shape].join(', ')}] = ${this.#width} numbers; got ${steps.length}`,
      );
    }
    return count;
  }

  #noiseFor(count: number): HostTensors {
    return noiseOf(this.#source.description).length === 0 ? {} : this.#noise.forSteps(count, this.batch);
  }

  /** What is for the caller. */
  #gave(found: HostTensors, count: number): Record<string, Output> {
    const outputs: Record<string, Output> = {};
    for (const name of this.#source.outputs) {
      const output = found[name] as HostTensor;
      const { dims, data } = this.#observed.has(name) ? withTime(output, count) : output;
      outputs[name] = { dims, data: data as Output['data'] };
    }
    return outputs;
  }
}
