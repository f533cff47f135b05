import type { Description } from '../schemas/description.ts';
import { UserError } from '../schemas/errors.ts';
import { sizeOf } from '../schemas/layer.ts';
import { stepsOf } from '../schemas/model.ts';
import { expectClasses, gaussianOf, type Prediction, predictionsOf } from './regression.ts';
import { type InferenceSession, onnxruntime, type Tensor } from './session.ts';
import { entropyOf, rowsOf, uncertaintiesOf } from './uncertainty.ts';

/** Examples one after another in one array, or one array per example. */
export type Inputs = Uint8Array | Float32Array | readonly (Uint8Array | Float32Array)[];

/** The answer for one example. */
export interface Classification {
  /** Index of the most probable class. */
  readonly label: number;
  readonly className: string;
  /** Of that class, in [0, 1]; of an ensemble, the mean over its members. */
  readonly probability: number;
  /** One per class, summing to 1. */
  readonly probabilities: Float32Array;
  /**
   * Of the probabilities, H(p) = −Σ p log p in nats: 0 where one class is certain, log(classes) where all are as
   * probable.
   */
  readonly entropy: number;
  /**
   * Of the class and the weights, in nats, 0 … `entropy`: what the members of an ensemble disagree about, their
   * entropy together less the mean of their own (Houlsby et al. 2011, arXiv 1112.5745). The rest of the entropy is
   * in the example itself. A single network has none.
   */
  readonly mutualInformation?: number;
}

/** One output of the graph for all examples. */
export interface Output {
  /** The first axis is the batch, but for `member_probabilities` and `member_means`, whose first is the member. */
  readonly dims: readonly number[];
  readonly data: Float32Array | Uint8Array;
}

/** Examples in one call of onnxruntime: more would use memory and no less time. */
const CHUNK = 1024;

/** A network that answers. Made by `load`. */
export class LoadedNetwork {
  readonly description: Description;
  readonly device: string;
  readonly #session: InferenceSession;
  readonly #outputs: readonly string[];

  constructor(
    description: Description,
    device: string,
    session: InferenceSession,
    outputs: readonly string[],
  ) {
    this.description = description;
    this.device = device;
    this.#session = session;
    this.#outputs = outputs;
  }

  /**
   * The most probable class of each example, and how sure that is.
   *
   * @throws UserError when the inputs are not whole examples of the type that the model takes
   */
  async classify(inputs: Inputs): Promise<Classification[]> {
    expectClasses(this.description, 'classify', 'predict');
    const names = this.description.classes;
    const classes = names.length;
    const found: Classification[] = [];
    const outputs = ['probabilities', 'member_probabilities'].filter((name) => this.#outputs.includes(name));
    for await (const part of this.#chunks(this.#joined(inputs), outputs)) {
      const members = part.member_probabilities as Output | undefined;
      const uncertainties = members && uncertaintiesOf(members);
      rowsOf(part.probabilities?.data as Float32Array, classes).forEach((row, example) => {
        // A copy, so that who keeps one answer does not keep the whole batch.
        const own = row.slice();
        const label = own.indexOf(Math.max(...own));
        const uncertainty = uncertainties?.[example];
        found.push({
          label,
          className: names[label] as string,
          probability: own[label] as number,
          probabilities: own,
          entropy: uncertainty?.entropy ?? entropyOf(own),
          ...(uncertainty && { mutualInformation: uncertainty.mutualInformation }),
        });
      });
    }
    return found;
  }

  /**
   * What a network of a regression predicts of each example, and how sure that is.
   *
   * @throws UserError when it answers with classes, or the inputs are not whole examples of the type that it takes
   */
  async predict(inputs: Inputs): Promise<Prediction[]> {
    const likelihood = gaussianOf(this.description, 'predict', 'classify');
    const found: Prediction[] = [];
    const outputs = ['means', 'member_means'].filter((name) => this.#outputs.includes(name));
    for await (const part of this.#chunks(this.#joined(inputs), outputs))
      found.push(...predictionsOf(part as Record<string, Output>, likelihood));
    return found;
  }

  /** Every output of the graph, and of the layers that `load` was asked to observe, for all examples. */
  async run(inputs: Inputs): Promise<Record<string, Output>> {
    const parts: Record<string, Tensor>[] = [];
    for await (const part of this.#chunks(this.#joined(inputs), this.#outputs)) parts.push(part);
    const steps = stepsOf(this.description.model);
    const observed = new Set(this.description.layers.flat());
    return Object.fromEntries(
      this.#outputs.map((name) => {
        const found = parts.map((part) => part[name] as Tensor);
        if (steps > 1 && observed.has(name)) {
          return [
            name,
            join(
              found.map((part) => withTime(part, steps)),
              1,
            ),
          ];
        }
        return [name, join(found, name.startsWith('member_') ? 1 : 0)];
      }),
    );
  }

  /** Frees the memory of the model. */
  close(): Promise<void> {
    return this.#session.release();
  }

  async *#chunks(
    inputs: Uint8Array | Float32Array,
    outputs: readonly string[],
  ): AsyncGenerator<Record<string, Tensor>> {
    const { Tensor } = await onnxruntime();
    const { model } = this.description;
    const { shape } = model.input;
    const steps = stepsOf(model);
    const size = steps * sizeOf(shape);
    // A sequence is as much work as its steps are examples.
    const chunk = Math.max(1, Math.floor(CHUNK / steps)) * size;
    for (let start = 0; start < inputs.length; start += chunk) {
      const examples = inputs.slice(start, start + chunk);
      const data = steps === 1 ? examples : timeOutermost(examples, steps, size / steps);
      const batch = data.length / size;
      const dims = steps === 1 ? [batch, ...shape] : [steps, batch, ...shape];
      const input =
        data instanceof Uint8Array ? new Tensor('uint8', data, dims) : new Tensor('float32', data, dims);
      yield (await this.#session.run({ input }, [...outputs])) as Record<string, Tensor>;
    }
  }

  #joined(inputs: Inputs): Uint8Array | Float32Array {
    const { model } = this.description;
    const { type } = model.input;
    const steps = stepsOf(model);
    const shape = [...(steps > 1 ? [steps] : []), ...model.input.shape];
    const size = sizeOf(shape);
    const Wanted = type === 'uint8' ? Uint8Array : Float32Array;
    const list = inputs instanceof Uint8Array || inputs instanceof Float32Array ? [inputs] : inputs;
    for (const [index, array] of list.entries()) {
      if (!(array instanceof Wanted)) {
        throw new UserError(
          `inputs: the model takes ${type}, give a ${Wanted.name} (array ${index} is a ${kindOf(array)})`,
        );
      }
      const whole = list === inputs ? array.length === size : array.length % size === 0;
      if (!whole) {
        throw new UserError(
          `inputs: an example is [${shape.join(', ')}] = ${size} numbers; array ${index} holds ${array.length}`,
        );
      }
    }
    if (list.length === 1) return list[0] as Uint8Array | Float32Array;
    const joined = new Wanted(list.length * size);
    list.forEach((array, index) => joined.set(array, index * size));
    return joined;
  }
}

/** [batch, time, …] → [time, batch, …]. @param width numbers in one step of one example */
function timeOutermost<Data extends Uint8Array | Float32Array>(
  examples: Data,
  steps: number,
  width: number,
): Data {
  const turned = examples.slice() as Data;
  const batch = examples.length / (steps * width);
  for (let example = 0; example < batch; example++) {
    for (let step = 0; step < steps; step++) {
      const from = (example * steps + step) * width;
      turned.set(examples.subarray(from, from + width), (step * batch + example) * width);
    }
  }
  return turned;
}

/** [time × batch, …] as [time, batch, …]. */
const withTime = ({ type, dims: [rows = 0, ...features], data }: Tensor, steps: number): Part => ({
  type,
  dims: [steps, rows / steps, ...features],
  data,
});

/** What joining needs of a tensor. */
type Part = Pick<Tensor, 'type' | 'dims' | 'data'>;

const kindOf = (value: unknown): string => (value as object | null)?.constructor?.name ?? typeof value;

/** Joins the parts of an output along the axis of the batch. */
function join(parts: readonly Part[], axis: number): Output {
  const [first] = parts;
  if (!first) return { dims: [], data: new Float32Array() };
  const dims = [...first.dims];
  dims[axis] = parts.reduce((sum, part) => sum + (part.dims[axis] as number), 0);
  const data = new (first.type === 'uint8' ? Uint8Array : Float32Array)(
    dims.reduce((product, size) => product * size, 1),
  );
  const outer = dims.slice(0, axis).reduce((product, size) => product * size, 1);
  let offset = 0;
  for (let row = 0; row < outer; row++) {
    for (const part of parts) {
      const own = part.data as Float32Array;
      const length = own.length / outer;
      data.set(own.subarray(row * length, (row + 1) * length), offset);
      offset += length;
    }
  }
  return { dims, data };
}
