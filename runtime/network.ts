import type { Description } from '../schemas/description.ts';
import { UserError } from '../schemas/errors.ts';
import { stepsOf } from '../schemas/model.ts';
import {
  type Classification,
  classificationsOf,
  type EnsembleAnswer,
  ensembleAnswersOf,
  outputsToClassify,
} from './answers.ts';
import { batchesOf, type Inputs } from './examples.ts';
import { checkDraws, type Draws, NoiseFeed, noiseOf } from './noise.ts';
import { join, meanOverFirst, type Output, type Outputs, stack, withTime } from './outputs.ts';
import { expectClasses, gaussianOf, type Prediction, predictionsOf } from './regression.ts';
import type { HostTensor, HostTensors, Runner } from './runner.ts';
import { sha256 } from '../schemas/sha256.ts';
import { zeroStates } from './states.ts';
import { checkStreams, type StreamOptions, StreamSession } from './stream.ts';

export type { Classification } from './answers.ts';
export type { Inputs } from './examples.ts';
export type { Output } from './outputs.ts';

/** What of a file a network needs besides its description. */
interface Opened {
  /** Outputs of its graph, with those that are observed. */
  readonly outputs: readonly string[];
  /** The bytes of the file. */
  readonly model: Uint8Array;
  /** Why this device was chosen, where nobody named one. */
  readonly reason?: string;
}

/** A network that answers. Made by `load`. */
export class LoadedNetwork {
  readonly description: Description;
  readonly device: string;
  /** What one should know of how it runs here: why it has fewer threads than were asked for, say. */
  readonly notes: readonly string[];
  readonly #runner: Runner;
  readonly #outputs: readonly string[];
  /** Of a file that can be streamed, its hash: a snapshot belongs to one file. */
  readonly #hash: string | undefined;
  #isClosed = false;

  constructor(description: Description, device: string, runner: Runner, opened: Opened) {
    const { outputs, model, reason } = opened;
    const states = description.states ?? [];
    const carried = new Set(states.map(({ output }) => output));
    this.description = description;
    this.device = device;
    this.notes = [...(reason ? [reason] : []), ...(runner.notes ?? [])];
    this.#runner = runner;
    this.#outputs = outputs.filter((name) => !carried.has(name));
    this.#hash = states.length > 0 ? sha256(model) : undefined;
  }

  /**
   * The most probable class of each example, and how sure that is.
   *
   * @param draws of a network that takes noise: the mean over `samples` runs with other noise each, which are then
   *   the members of an ensemble
   * @throws UserError when the inputs are not whole examples of the type that the model takes
   */
  async classify(inputs: Inputs, draws: Draws = {}): Promise<Classification[]> {
    expectClasses(this.description, 'classify', 'predict');
    const outputs = outputsToClassify(this.#outputs);
    const found: Classification[] = [];
    for await (const part of this.#sampled(inputs, outputs, draws, 'classify'))
      found.push(...classificationsOf(part, this.description.classes));
    return found;
  }

  /**
   * As `classify`, of a file that holds an ensemble, or with two or more samples of a network that takes noise; with
   * what each member says.
   *
   * @throws UserError when it is neither, or the inputs are not whole examples of the type that the model takes
   */
  async ensemble(inputs: Inputs, draws: Draws = {}): Promise<EnsembleAnswer[]> {
    expectClasses(this.description, 'ensemble', 'predict, whose spread tells what members disagree about');
    const isEnsemble = this.#outputs.includes('member_probabilities');
    if (!isEnsemble && (draws.samples ?? 1) === 1) {
      throw new UserError(
        noiseOf(this.description).length > 0
          ? 'ensemble: one sample is no ensemble; give samples: 2 or more'
          : 'ensemble: this file holds one network; export several with --weights sample --count',
      );
    }
    const outputs = new Set([...outputsToClassify(this.#outputs), 'member_probabilities']);
    const wanted = [...outputs].filter((name) => this.#outputs.includes(name));
    const found: EnsembleAnswer[] = [];
    for await (const part of this.#sampled(inputs, wanted, draws, 'ensemble'))
      found.push(...ensembleAnswersOf(part, this.description.classes));
    return found;
  }

  /**
   * What a network of a regression predicts of each example, and how sure that is.
   *
   * @param draws as `classify` has them
   * @throws UserError when it answers with classes, or the inputs are not whole examples of the type that it takes
   */
  async predict(inputs: Inputs, draws: Draws = {}): Promise<Prediction[]> {
    const likelihood = gaussianOf(this.description, 'predict', 'classify');
    const outputs = ['means', 'member_means'].filter((name) => this.#outputs.includes(name));
    const found: Prediction[] = [];
    for await (const part of this.#sampled(inputs, outputs, draws, 'predict'))
      found.push(...predictionsOf(part, likelihood));
    return found;
  }

  /**
   * Every output of the graph, and of the layers that `load` was asked to observe, for all examples.
   *
   * @param options `seed` decides the noise of a network that takes some
   * @throws UserError when the inputs are not whole examples of the type that the model takes
   */
  async run(inputs: Inputs, options: Pick<Draws, 'seed'> = {}): Promise<Record<string, Output>> {
    const { seed } = checkDraws(this.description, options, 'run');
    const noise = new NoiseFeed(noiseOf(this.description), seed, 0);
    const parts: HostTensors[] = [];
    for (const input of this.#batches(inputs)) parts.push(await this.#run(input, this.#outputs, noise));
    const steps = stepsOf(this.description.model);
    const observed = new Set(this.description.layers.flat());
    return Object.fromEntries(
      this.#outputs.map((name) => {
        const found = parts.map((part) => part[name] as HostTensor);
        if (steps === 1 || !observed.has(name))
          return [name, join(found, name.startsWith('member_') ? 1 : 0)];
        const apart = found.map((part) => withTime(part, steps));
        return [name, join(apart, 1)];
      }),
    );
  }

  /**
   * A stream of steps through a file that was exported for it, or several streams side by side. Any number of them
   * can be open at once: each has states of its own.
   *
   * @throws UserError when the file holds whole sequences
   */
  stream(options: StreamOptions = {}): StreamSession {
    checkStreams(this.description);
    this.#checkOpen();
    const { description } = this;
    const source = { description, outputs: this.#outputs, hash: this.#hash as string };
    return new StreamSession(this.#runner, source, options);
  }

  /** Frees the memory of the model. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#runner.release();
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new UserError('the network is closed; load it again');
  }

  /** Outputs for some examples at a time; of several samples their mean, and they themselves as members. */
  async *#sampled(
    inputs: Inputs,
    outputs: readonly string[],
    draws: Draws,
    what: string,
  ): AsyncGenerator<Outputs> {
    const { samples, seed } = checkDraws(this.description, draws, what);
    const needed = noiseOf(this.description);
    const noises = Array.from({ length: samples }, (_, sample) => new NoiseFeed(needed, seed, sample));
    for (const input of this.#batches(inputs)) {
      const runs: Outputs[] = [];
      for (const noise of noises) runs.push((await this.#run(input, outputs, noise)) as Outputs);
      yield runs.length === 1 ? (runs[0] as Outputs) : mixed(runs, this.description.likelihood !== undefined);
    }
  }

  /** Noise is drawn for every one of them, so its numbers would depend on how many examples they have. */
  #batches(inputs: Inputs): Generator<HostTensor> {
    const { batchFactor = 1 } = this.#runner;
    const takesNoise = noiseOf(this.description).length > 0;
    return batchesOf(this.description.model, inputs, takesNoise ? 1 : batchFactor);
  }

  #run(input: HostTensor, outputs: readonly string[], noise: NoiseFeed): Promise<HostTensors> {
    this.#checkOpen();
    const steps = stepsOf(this.description.model);
    const batch = (steps === 1 ? input.dims[0] : input.dims[1]) as number;
    const feeds = {
      input,
      ...zeroStates(this.description.states ?? [], batch),
      ...noise.forExamples(steps, batch),
    };
    return this.#runner.run(feeds, outputs);
  }
}

/** Several runs on the same examples as one ensemble. */
function mixed(runs: readonly Outputs[], isRegression: boolean): Outputs {
  const [single, member] = isRegression
    ? ['means', 'member_means']
    : ['probabilities', 'member_probabilities'];
  const members = stack(runs.map((run) => (run[member as string] ?? run[single as string]) as Output));
  return { [single as string]: meanOverFirst(members), [member as string]: members };
}
