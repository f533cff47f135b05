import { UserError } from '../../schemas/errors.ts';
import { Random, type RandomState } from '../../schemas/random.ts';
import { wasm } from './generated/gaussian.ts';

type Kernel = (state: number, target: number, count: number) => void;

/** All that a source remembers: the states of its four generators. */
export type NoiseState = readonly [RandomState, RandomState, RandomState, RandomState];

const LANES = 4;
const WORDS = 4;
const STATE_BYTES = LANES * WORDS * Uint32Array.BYTES_PER_ELEMENT;

/** Numbers drawn at a time, before they are copied out: few enough to stay in the processor's cache. */
const CHUNK = 8192;

const module = new WebAssembly.Module(Buffer.from(wasm, 'base64'));

/**
 * Standard normal numbers, with the same bits from the same seed on every machine.
 *
 * A training step needs some hundred thousand of them, so they come from a WebAssembly kernel that runs four
 * generators side by side. Lane `n` is `Random.fromSeed(seed, '${stream} ${n}')`.
 */
export class NoiseSource {
  readonly #kernel: Kernel;
  /** The first words of all lanes, their second words, … */
  readonly #state: Uint32Array;
  readonly #chunk: Float32Array;

  private constructor(state: NoiseState) {
    const memory = new WebAssembly.Memory({ initial: 1 });
    const instance = new WebAssembly.Instance(module, { env: { memory } });
    this.#kernel = instance.exports.gaussian as Kernel;
    this.#state = new Uint32Array(memory.buffer, 0, LANES * WORDS);
    this.#chunk = new Float32Array(memory.buffer, STATE_BYTES, CHUNK);
    state.forEach((words, lane) => {
      words.forEach((word, index) => {
        this.#state[index * LANES + lane] = word;
      });
    });
  }

  /**
   * The source of a seed and a stream; see `Random.fromSeed`.
   *
   * @throws UserError unless the seed is an integer 0 … 2⁵³ − 1
   */
  static fromSeed(seed: number, stream: string): NoiseSource {
    const lane = (index: number) => Random.fromSeed(seed, `${stream} ${index}`).save();
    return new NoiseSource([lane(0), lane(1), lane(2), lane(3)]);
  }

  /**
   * The source that `save` described: it continues with the very numbers that would have come next.
   *
   * @throws UserError when the state is not one that a source can have
   */
  static restore(state: NoiseState): NoiseSource {
    if (!Array.isArray(state) || state.length !== LANES) {
      throw new UserError(
        `${JSON.stringify(state)} is no state of a noise source; give the states of ${LANES} random generators.`,
      );
    }
    for (const lane of state as NoiseState) Random.restore(lane);
    return new NoiseSource(state);
  }

  /** The state as plain JSON, for `restore`. */
  save(): NoiseState {
    const word = (lane: number, index: number) => this.#state[index * LANES + lane]!;
    const stateOf = (lane: number): RandomState => [
      word(lane, 0),
      word(lane, 1),
      word(lane, 2),
      word(lane, 3),
    ];
    return [stateOf(0), stateOf(1), stateOf(2), stateOf(3)];
  }

  /**
   * Fills an array with standard normal numbers.
   *
   * They are drawn eight at a time, and what is left of the last eight is thrown away: filling 8 and then 4 gives
   * the same as filling 12, filling 4 and then 8 does not.
   */
  fillGaussian(into: Float32Array): void {
    for (let start = 0; start < into.length; start += CHUNK) {
      const count = Math.min(CHUNK, into.length - start);
      this.#kernel(0, STATE_BYTES, count);
      into.set(count === CHUNK ? this.#chunk : this.#chunk.subarray(0, count), start);
    }
  }
}
