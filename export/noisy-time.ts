import { UserError } from '../schemas/errors.ts';
import type { Shape } from '../schemas/layer.ts';
import { Graph, type Value } from '../schemas/onnx/index.ts';
import type { Scan } from '../schemas/ops.ts';
import { stateShape } from './graph-planes.ts';
import type { Drawer } from './noisy-noise.ts';
import type { NoisyOps } from './noisy-ops.ts';
import { type Field, fields, noisy, type NoisySignal, type NoisyValue, valueOf } from './noisy-signal.ts';

/** What is known of a value without its numbers. */
interface Form {
  readonly fields: readonly Field[];
  readonly binary: boolean;
}

type Forms = Readonly<Record<string, Form>>;

const formOf = (x: NoisyValue): Form => ({
  fields: fields.filter((field) => x[field] !== undefined),
  binary: x.binary === true,
});

/** A layer with a state: one loop, which carries means and variances from step to step and is fed noise at each. */
export function scanNoisy(ops: NoisyOps, scan: Scan<NoisySignal>): NoisyValue {
  const { graph, scope } = ops;
  const { time } = ops.shared;
  if (!time) throw new UserError(`export: ${scope} has a state, and the network one step; give it steps`);
  const input = valueOf(scan.input);
  const { plane } = input;
  const { forms, draws } = planOf(ops, scan);
  const body = new Graph(`${scope}.step`, graph);
  const ports = portsOf(body, scope, input);
  const before = Object.entries(forms).map(([name, form]): [string, NoisySignal] => [
    name,
    ports(form, name),
  ]);
  const moving = movingFields(input);
  const current = currentOf(input, ports({ ...formOf(input), fields: moving }, 'current'));
  const noises = draws.map((by) => ops.context.noise.add(scope, by, ops.output, plane));
  const fed = noises.map((noise, index) => noise && body.input(`${scope}.noise.${index}`, 'float32'));
  let drawn = 0;
  const inner = ops.inside(body, () => fed[drawn++]);
  const [output, after] = scan.step(inner, scan.parameters, Object.fromEntries(before), current);

  const give = (x: NoisyValue, form: Form): void => {
    for (const field of form.fields) body.output(whole(body, x[field], x.mean), 'float32');
  };
  for (const [name, form] of Object.entries(forms)) give(valueOf(after[name] as NoisySignal), form);
  const made = valueOf(output);
  const outputForm = formOf(made);
  give(made, outputForm);

  const starts = Object.entries(forms).flatMap(([name, form]) =>
    form.fields.map(() => time.zeros(graph, stateShape(scan.state[name] as Shape, plane))),
  );
  const sequences = [
    ...moving.map((field) => time.unfolded(graph, input[field] as Value)),
    ...noises.filter((noise) => noise !== undefined),
  ];
  const found = graph.nodeN('Scan', [...starts, ...sequences], starts.length + outputForm.fields.length, {
    num_scan_inputs: sequences.length,
    body,
  });
  const values = outputForm.fields.map((field, index): [Field, Value] => [
    field,
    time.folded(graph, found[starts.length + index] as Value),
  ]);
  return noisy(Object.fromEntries(values) as unknown as { mean: Value }, { ...made, firingMoves: true });
}

/** The fields that have an axis of time. */
const movingFields = (input: NoisyValue): Field[] =>
  formOf(input).fields.filter((field) => field !== 'firingVariance' || input.firingMoves);

/** One step of what comes in: its moving parts, and what is the same at every step. */
const currentOf = (input: NoisyValue, moving: NoisyValue): NoisyValue =>
  input.firingMoves ? moving : noisy({ ...moving, firingVariance: input.firingVariance }, moving);

/** Inputs of a body for a value of some form. */
const portsOf =
  (body: Graph, scope: string, { plane }: NoisyValue) =>
  (form: Form, name: string): NoisyValue => {
    const inputs = form.fields.map((field): [Field, Value] => [
      field,
      body.input(`${scope}.${name}.${field}`, 'float32'),
    ]);
    return noisy(Object.fromEntries(inputs) as unknown as { mean: Value }, {
      plane,
      binary: form.binary || undefined,
      firingMoves: true,
    });
  };

/** A field in the shape of the mean, which a loop wants: 0 where there is none. */
function whole(body: Graph, value: Value | undefined, mean: Value): Value {
  const shape = body.node('Shape', [mean]);
  return value === undefined ? body.node('ConstantOfShape', [shape]) : body.node('Expand', [value, shape]);
}

/**
 * What a loop carries and draws, found by writing steps that are thrown away until the state keeps its form: a membrane,
 * certain at first, has a variance from the first current on.
 */
function planOf(ops: NoisyOps, scan: Scan<NoisySignal>) {
  const { graph, scope } = ops;
  const input = valueOf(scan.input);
  let forms: Forms = Object.fromEntries(
    Object.keys(scan.state).map((name) => [name, { fields: ['mean'], binary: false } satisfies Form]),
  );
  const most = 8 + Object.keys(forms).length;
  for (let tries = 0; tries < most; tries++) {
    const trial = `${scope}.trial${tries}`;
    const body = new Graph(trial, graph);
    const ports = portsOf(body, trial, input);
    const draws: Drawer[] = [];
    const inner = ops.inside(body, (by) => body.input(`${trial}.noise.${draws.push(by)}`, 'float32'));
    const before = Object.entries(forms).map(([name, form]): [string, NoisySignal] => [
      name,
      ports(form, name),
    ]);
    const current = currentOf(input, ports({ ...formOf(input), fields: movingFields(input) }, 'current'));
    const [, after] = scan.step(inner, scan.parameters, Object.fromEntries(before), current);
    const next: Forms = Object.fromEntries(
      Object.entries(forms).map(([name, form]) => {
        const found = formOf(valueOf(after[name] as NoisySignal));
        const known = fields.filter((field) => form.fields.includes(field) || found.fields.includes(field));
        return [name, { fields: known, binary: found.binary }];
      }),
    );
    if (JSON.stringify(next) === JSON.stringify(forms)) return { forms, draws };
    forms = next;
  }
  throw new Error(`${scope}: the state takes another form at every step`);
}
