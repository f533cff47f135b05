import { UserError } from '../../schemas/errors.ts';
import type { HostTensor, HostTensors } from '../runner.ts';
import type { Program, ProgramOutput } from './compile.ts';
import { arrayOf, type Numbers, sizeOf } from './reference/index.ts';

/** What a step gives becomes what the next one takes. */
export interface Carried {
  readonly input: string;
  readonly output: string;
}

/**
 * One call after another on arrays that stay: nothing is allocated between steps. For whoever counts microseconds;
 * `StreamSession` does the same with every comfort.
 */
export interface Stepper {
  /** Written by the caller before a step; what is carried is there too, and may be changed between steps. */
  readonly inputs: HostTensors;
  /** Of the last step; overwritten by the next. */
  readonly outputs: HostTensors;
  step(): void;
  /** Frees its memory. */
  release(): void;
}

/** @param feeds dims of every input, and what it begins with */
export function stepperOf(
  program: Program,
  feeds: HostTensors,
  outputs: readonly string[],
  carried: readonly Carried[],
  what: string,
): Stepper {
  const inputs: Record<string, HostTensor> = {};
  for (const [name, { slot }] of program.inputs) {
    const { type, dims, data } = feeds[name] as HostTensor;
    inputs[name] = { type, dims, data: data.slice() as Numbers['data'] };
    slot.numbers = inputs[name] as Numbers;
  }
  const outputOf = (name: string): ProgramOutput => {
    const found = program.outputs.get(name);
    if (!found) throw new UserError(`${what}: there is no output '${name}' to step with`);
    return found;
  };
  const fixed = outputs.map((name): readonly [string, HostTensor] => {
    const { type, dims } = outputOf(name);
    return [name, { type, dims, data: arrayOf(type, sizeOf(dims)) }];
  });
  const pairs = [
    ...fixed.map(([name, { data }]) => ({ read: outputOf(name).read, into: data })),
    ...carried.map(({ input, output }) => {
      const given = inputs[input];
      const { type, dims, read } = outputOf(output);
      if (!given || given.type !== type || given.dims.join() !== dims.join()) {
        throw new UserError(`${what}: the output '${output}' cannot be fed to the input '${input}'`);
      }
      return { read, into: given.data };
    }),
  ];
  return {
    inputs,
    outputs: Object.fromEntries(fixed),
    step() {
      program.run();
      for (const { read, into } of pairs) read(into as Numbers['data']);
    },
    release: () => program.free(),
  };
}
