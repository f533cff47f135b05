import { UserError } from '../../schemas/errors.ts';
import type { Carried, HostTensor, HostTensors, Stepper } from '../runner.ts';
import type { Program, ProgramOutput } from './compile.ts';
import type { Read } from './exchange.ts';
import { keyOf, type Programs, type Shapes } from './programs.ts';
import { arrayOf, type Numbers, sizeOf } from './reference/index.ts';

/** What a program is told before a run, and what is read of it afterwards. */
interface Binding {
  readonly program: Program;
  readonly slots: readonly { readonly slot: { numbers?: Numbers | undefined }; readonly given: Numbers }[];
  readonly reads: readonly { readonly read: Read; readonly into: Numbers['data'] }[];
}

interface Plan {
  readonly shapes: Shapes;
  readonly feeds: HostTensors;
  readonly outputs: readonly string[];
  readonly carried: readonly Carried[];
  /** Names the model in errors. */
  readonly what: string;
}

/**
 * Steps on arrays of their own, which lie in no program: that is one of those that all runs and steppers of the
 * network share, and is made anew where it had to make room for others.
 */
export function stepperOf(programs: Programs, { feeds, outputs, carried, what, ...plan }: Plan): Stepper {
  // Without the arrays that it begins with.
  const shapes = new Map([...plan.shapes].map(([name, { type, dims }]) => [name, { type, dims }]));
  const key = keyOf(shapes);
  const inputs: Record<string, HostTensor> = {};
  for (const name of shapes.keys()) {
    const { type, dims, data } = feeds[name] as HostTensor;
    // `slice` of a Buffer of Node would be the same memory.
    const own = arrayOf(type, data.length);
    own.set(data as never);
    inputs[name] = { type, dims, data: own };
  }
  const first = programs.of(shapes, key);
  const outputOf = (program: Program, name: string): ProgramOutput => {
    const found = program.outputs.get(name);
    if (!found) throw new UserError(`${what}: there is no output '${name}' to step with`);
    return found;
  };
  const fixed = outputs.map((name): readonly [string, Numbers] => {
    const { type, dims } = outputOf(first, name);
    return [name, { type, dims, data: arrayOf(type, sizeOf(dims)) }];
  });
  for (const { input, output } of carried) {
    const given = inputs[input];
    const { type, dims } = outputOf(first, output);
    if (!given || given.type !== type || given.dims.join() !== dims.join())
      throw new UserError(`${what}: the output '${output}' cannot be fed to the input '${input}'`);
  }
  const bind = (program: Program): Binding => ({
    program,
    slots: [...program.inputs].map(([name, { slot }]) => ({ slot, given: inputs[name] as Numbers })),
    reads: [
      ...fixed.map(([name, { data }]) => ({ read: outputOf(program, name).read, into: data })),
      ...carried.map(({ input, output }) => ({
        read: outputOf(program, output).read,
        into: (inputs[input] as Numbers).data,
      })),
    ],
  });
  let bound: Binding | undefined = bind(first);
  let isReleased = false;
  return {
    inputs,
    outputs: Object.fromEntries(fixed),
    step() {
      if (isReleased) throw new UserError(`${what}: the stepper was released`);
      const program = programs.of(shapes, key);
      if (bound?.program !== program) bound = bind(program);
      const { slots, reads } = bound;
      for (let index = 0; index < slots.length; index++) {
        const { slot, given } = slots[index] as Binding['slots'][number];
        slot.numbers = given;
      }
      program.run();
      for (let index = 0; index < reads.length; index++) {
        const { read, into } = reads[index] as Binding['reads'][number];
        read(into);
      }
    },
    release() {
      isReleased = true;
      bound = undefined;
    },
  };
}
