import * as tf from '@tensorflow/tfjs-core';
import { type Shape, sizeOf } from '../schemas/layer.ts';
import type { Ops, Scan } from '../schemas/ops.ts';
import { scan as scanTensors } from './engine/scan.ts';
import { joinedParts, partsInTime } from './per-step.ts';
import { byTime, type Drawer, type Moments, type MomentsOptions } from './moments.ts';

/** The fields of moments that are tensors, in the order in which they are laid out. */
const fields = ['mean', 'variance', 'firingVariance', 'deviation', 'firingDeviation'] as const;
type Field = (typeof fields)[number];

/** What is known of moments besides. */
const knowns = ['binary', 'scalesMeanOnly', 'isGain'] as const;

/** Moments without their tensors: what fields there are, of which shapes, and what is known of them. */
interface Form {
  readonly shapes: Readonly<Partial<Record<Field, Shape>>>;
  readonly known: Pick<Moments, (typeof knowns)[number]>;
}

type Forms = Readonly<Record<string, Form>>;

function formOf(x: Moments): Form {
  const shapes: Partial<Record<Field, Shape>> = {};
  for (const field of fields) if (x[field]) shapes[field] = x[field].shape;
  return { shapes, known: Object.fromEntries(knowns.filter((name) => x[name]).map((name) => [name, true])) };
}

export const formsOf = (record: Readonly<Record<string, Moments>>): Forms =>
  Object.fromEntries(Object.entries(record).map(([name, x]) => [name, formOf(x)]));

const sameForms = (a: Forms, b: Forms): boolean => JSON.stringify(a) === JSON.stringify(b);

/** The tensors of moments, and back. */
const flat = (x: Moments): tf.Tensor[] => fields.flatMap((field) => x[field] ?? []);
export const flatAll = (record: Readonly<Record<string, Moments>>): tf.Tensor[] =>
  Object.values(record).flatMap(flat);

function unflat({ shapes, known }: Form, tensors: Iterator<tf.Tensor>): Moments {
  const found: Partial<Record<Field, tf.Tensor>> = {};
  for (const field of fields) if (shapes[field]) found[field] = tensors.next().value as tf.Tensor;
  return { ...(found as Moments), ...known };
}

export const unflatAll = (forms: Forms, tensors: Iterator<tf.Tensor>): Record<string, Moments> =>
  Object.fromEntries(Object.entries(forms).map(([name, form]) => [name, unflat(form, tensors)]));

const zerosOf = (forms: Forms): Record<string, Moments> =>
  unflatAll(
    forms,
    Object.values(forms)
      .flatMap(({ shapes }) => fields.flatMap((field) => (shapes[field] ? [shapes[field]] : [])))
      .map((shape) => tf.zeros([...shape]))
      .values(),
  );

interface Draw {
  readonly shape: readonly number[];
  readonly by: Drawer;
}

const isEachStep = ({ by }: Draw): boolean => by === 'neuron' || by === 'readout';

/** Takes moments through time: states, inputs and results are laid out as tensors, and put together again inside. */
export function scanMoments(
  scan: Scan<Moments>,
  options: MomentsOptions,
  opsOf: (options: MomentsOptions) => Ops<Moments>,
): Moments {
  const { steps = 1 } = options;
  const batch = (scan.input.mean.shape[0] as number) / steps;
  const start: Forms = Object.fromEntries(
    Object.entries(scan.state).map(([name, shape]) => [
      name,
      { shapes: { mean: [batch, ...shape] }, known: {} },
    ]),
  );
  if (steps === 1 && !options.carried) {
    return scan.step(opsOf(options), scan.parameters, zerosOf(start), scan.input)[0];
  }

  const { sequences, slice } = inTime(scan.input, steps);
  const parts = partsInTime(scan.parameters);
  const atAnyStep = joinedParts(parts, (_, mean) => tf.zeros(mean.shape.slice(1)));
  const plan = planOf({ ...scan, parameters: atAnyStep }, options, opsOf, start, slice);
  const draws = plan.draws.map((draw) =>
    isEachStep(draw) ? options.noise([steps, ...draw.shape], draw.by) : options.noise(draw.shape, draw.by),
  );
  const drawn = (each: boolean) => draws.filter((_, index) => isEachStep(plan.draws[index]!) === each);

  const scale = options.noiseScale ? [options.noiseScale] : [];
  const parameterForms = formsOf(parts.still);
  const constant = flatAll(parts.still);
  const zeros = flatAll(zerosOf(plan.state));
  const { outputs: found, final } = scanTensors(
    ({ constants, state, inputs, product }) => {
      const fixed = constants.values();
      const moving = inputs.values();
      const still = unflatAll(parameterForms, fixed);
      const parameters = joinedParts({ ...parts, still }, () => moving.next().value as tf.Tensor);
      const input = unflat(
        slice,
        // A field without a time axis is the same at every step.
        fields
          .filter((field) => slice.shapes[field])
          .map((field) => (sequences.has(field) ? moving : fixed).next().value as tf.Tensor)
          .values(),
      );
      const noiseScale = scale.length > 0 ? (fixed.next().value as tf.Tensor) : undefined;
      let next = 0;
      const noise = (): tf.Tensor => {
        const draw = plan.draws[next++] as Draw;
        return (isEachStep(draw) ? moving : fixed).next().value as tf.Tensor;
      };
      const measured: tf.Tensor[] = [];
      const inner = opsOf({ ...options, steps: 1, noise, noiseScale, measured, product });
      const [output, after] = scan.step(inner, parameters, unflatAll(plan.state, state.values()), input);
      return {
        state: Object.keys(plan.state).flatMap((name) => settle(plan.state[name]!, after[name] as Moments)),
        outputs: [...flat(output).map((tensor) => perExample(tensor, output.mean)), ...measured],
      };
    },
    {
      constants: [...constant, ...fixedFields(scan.input, sequences), ...scale, ...drawn(false)],
      initial: options.carried?.take(zeros) ?? zeros,
      sequences: [...parts.moving.values(), ...sequences.values(), ...drawn(true)],
    },
    options.unroll,
  );
  options.carried?.leave(final);
  const flattened = found.map((tensor) => tf.reshape(tensor, [steps * batch, ...tensor.shape.slice(2)]));
  const outputs = flattened.values();
  const output = unflat(plan.output, outputs);
  options.measured?.push(...outputs);
  return output;
}

/** A field that all examples share, for each of them, so that it can be one of the outputs of all times. */
const perExample = (field: tf.Tensor, { rank, shape: [batch = 1] }: tf.Tensor): tf.Tensor =>
  field.rank === rank ? field : tf.mul(field, tf.ones([batch, ...Array.from({ length: rank - 1 }, () => 1)]));

/** The fields of an input that have a time axis, as [time, batch, …], and the form of one slice. */
function inTime(input: Moments, steps: number) {
  const { known, shapes } = formOf(input);
  const sequences = new Map<Field, tf.Tensor>();
  const sliced: Partial<Record<Field, Shape>> = {};
  for (const field of fields) {
    const tensor = input[field];
    if (!tensor) continue;
    const moves = tensor.rank === input.mean.rank && tensor.shape[0] === input.mean.shape[0];
    if (moves) sequences.set(field, byTime(tensor, steps));
    sliced[field] = moves ? [(tensor.shape[0] as number) / steps, ...tensor.shape.slice(1)] : shapes[field]!;
  }
  return { sequences, slice: { known, shapes: sliced } satisfies Form };
}

const fixedFields = (input: Moments, sequences: ReadonlyMap<Field, tf.Tensor>): tf.Tensor[] =>
  fields.flatMap((field) => (sequences.has(field) ? [] : (input[field] ?? [])));

/** Each tensor in the shape that the form has for it. */
const settle = (form: Form, x: Moments): tf.Tensor[] =>
  fields.flatMap((field) => {
    const shape = form.shapes[field];
    if (!shape) return [];
    const tensor = x[field] ?? tf.zeros([...shape]);
    return tf.util.arraysEqual(tensor.shape, [...shape]) ? [tensor] : [tf.mul(tensor, tf.ones([...shape]))];
  });

interface Plan {
  readonly state: Forms;
  readonly output: Form;
  readonly draws: readonly Draw[];
}

/**
 * What a scan carries and draws, found by taking steps on zeros until the state keeps its form: a membrane, certain at
 * first, has a variance from the first current on.
 */
function planOf(
  { step, parameters }: Scan<Moments>,
  options: MomentsOptions,
  opsOf: (options: MomentsOptions) => Ops<Moments>,
  start: Forms,
  slice: Form,
): Plan {
  let state = start;
  // A form passes from one state to another at every step, as along a delay line.
  const most = 8 + Object.keys(start).length;
  for (let tries = 0; tries < most; tries++) {
    const draws: Draw[] = [];
    const ops = opsOf({
      ...options,
      steps: 1,
      measured: [],
      noise(shape, by) {
        draws.push({ shape, by });
        return tf.zeros([...shape]);
      },
    });
    const input = zerosOf({ input: slice }).input as Moments;
    const [output, after] = step(ops, parameters, zerosOf(state), input);
    const next = widened(state, formsOf(after));
    if (sameForms(state, next)) return { state, output: formOf(output), draws };
    state = next;
  }
  throw new Error('the state of a layer takes another form at every step');
}

/** The state as it is after a step; of two shapes that a field has, the larger. */
function widened(before: Forms, after: Forms): Forms {
  return Object.fromEntries(
    Object.entries(before).map(([name, form]) => {
      const next = after[name] as Form;
      const shapes: Partial<Record<Field, Shape>> = {};
      for (const field of fields) {
        const [a, b] = [form.shapes[field], next.shapes[field]];
        const wider = a && b ? (sizeOf(a) > sizeOf(b) ? a : b) : (a ?? b);
        if (wider) shapes[field] = wider;
      }
      return [name, { shapes, known: next.known }];
    }),
  );
}
