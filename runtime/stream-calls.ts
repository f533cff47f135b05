/** How the steps of a stream reach its device, and what is carried from one call to the next. */
import type { InputSpec } from '../schemas/model.ts';
import type { HostTensor, HostTensors, Runner, Stepper } from './runner.ts';

/** Steps and streams that a call takes, and what a graph has for them. */
export interface CallPlan {
  readonly input: InputSpec;
  /** Streams side by side. */
  readonly batch: number;
  /** Names of what a call gives. */
  readonly outputs: readonly string[];
  /** Inputs and outputs of the states. */
  readonly carried: readonly { readonly input: string; readonly output: string }[];
}

/** By the inputs that take them. */
export type States = Readonly<Record<string, HostTensor>>;

export interface StreamCalls {
  /** What the next call begins with; may be changed in place. */
  readonly states: States;
  /** The next call begins with those. */
  restore(states: States): void;
  /**
   * Takes the next steps of all streams.
   *
   * @param noise what the network is fed besides
   * @returns outputs that belong to the caller
   */
  take(
    steps: Uint8Array | Float32Array,
    count: number,
    noise: HostTensors,
  ): HostTensors | Promise<HostTensors>;
}

/** @param states what the first call begins with */
export const streamCalls = (runner: Runner, plan: CallPlan, states: States): StreamCalls =>
  runner.stepper ? steppedCalls(runner.stepper, plan, states) : fedCalls(runner, plan, states);

const inputOf = (
  { input: { type, shape }, batch }: CallPlan,
  data: HostTensor['data'],
  count: number,
): HostTensor => ({
  type,
  dims: [count, batch, ...shape],
  data,
});

/** A run for every call: states go in and come out as new arrays. */
function fedCalls(runner: Runner, plan: CallPlan, first: States): StreamCalls {
  const { outputs, carried } = plan;
  const fetched = [...outputs, ...carried.map(({ output }) => output)];
  let states = first;
  // A device may keep what it made of a tensor that is fed again.
  let input: HostTensor | undefined;
  const gave = (found: HostTensors): HostTensors => {
    states = Object.fromEntries(
      carried.map(({ input: name, output }) => [name, found[output] as HostTensor]),
    );
    return found;
  };
  return {
    get states() {
      return states;
    },
    restore: (given) => {
      states = given;
    },
    take(steps, count, noise) {
      if (input?.data.length === steps.length) (input.data as Uint8Array).set(steps);
      else input = inputOf(plan, copyOf(steps), count);
      const feeds = { input, ...states, ...noise };
      return runner.runNow ? gave(runner.runNow(feeds, fetched)) : runner.run(feeds, fetched).then(gave);
    },
  };
}

/** Numbers of steps for which a stepper is kept: each has arrays of its own. */
const KEPT = 4;

/** A stepper for every number of steps in a call; the states are in the arrays of the one that was used last. */
function steppedCalls(
  makeStepper: NonNullable<Runner['stepper']>,
  plan: CallPlan,
  first: States,
): StreamCalls {
  const { outputs, carried } = plan;
  const kept = new Map<number, Stepper>();
  let last: Stepper | undefined;
  let lastCount = 0;
  const statesNow = (): States => last?.inputs ?? first;

  function stepperFor(count: number, steps: Uint8Array | Float32Array, noise: HostTensors): Stepper {
    if (last && count === lastCount) return last;
    const states = statesNow();
    const known = kept.get(count);
    if (!known) {
      const begun = Object.fromEntries(carried.map(({ input }) => [input, states[input] as HostTensor]));
      return makeStepper({ input: inputOf(plan, steps, count), ...begun, ...noise }, outputs, carried);
    }
    for (const { input } of carried) copy(states[input], known.inputs[input]);
    return known;
  }

  return {
    get states() {
      return statesNow();
    },
    restore(given) {
      const states = statesNow();
      for (const { input } of carried) copy(given[input], states[input]);
    },
    take(steps, count, noise) {
      const stepper = stepperFor(count, steps, noise);
      const { inputs } = stepper;
      ((inputs.input as HostTensor).data as Uint8Array).set(steps);
      for (const name in noise) copy(noise[name], inputs[name]);
      stepper.step();
      if (stepper !== last) {
        kept.delete(count);
        kept.set(count, stepper);
        const [oldest] = kept.keys();
        if (kept.size > KEPT) kept.delete(oldest as number);
        last = stepper;
        lastCount = count;
      }
      const found: Record<string, HostTensor> = {};
      for (let index = 0; index < outputs.length; index++) {
        const name = outputs[index] as string;
        const { type, dims, data } = stepper.outputs[name] as HostTensor;
        found[name] = { type, dims, data: data.slice() as HostTensor['data'] };
      }
      return found;
    },
  };
}

/** `slice` of a Buffer of Node, which is a Uint8Array too, would be the same memory. */
const copyOf = (steps: Uint8Array | Float32Array): Uint8Array | Float32Array =>
  steps instanceof Float32Array ? new Float32Array(steps) : new Uint8Array(steps);

function copy(from: HostTensor | undefined, to: HostTensor | undefined): void {
  if (from && to) (to.data as Float32Array).set(from.data as Float32Array);
}
