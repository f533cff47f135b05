import { axisOf, int64s, type Numbers, withDims } from './numbers.ts';
import { UserError } from '../../schemas/errors.ts';
import { given, type Operator, type Operators } from './operator.ts';
import { joined } from './shape.ts';

/** One step of a sequence, time the first axis. */
function stepOf({ type, dims, data, exact }: Numbers, index: number): Numbers {
  const [steps = 0, ...rest] = dims;
  const size = data.length / steps;
  return { type, dims: rest, data: data.subarray(index * size, (index + 1) * size), exact };
}

const stacked = (steps: readonly Numbers[]): Numbers =>
  joined(
    steps.map((step) => withDims(step, [1, ...step.dims])),
    0,
  );

const scan: Operator = (inputs, { attributes, outputs, run }) => {
  const body = attributes.graph('body');
  const count = attributes.int('num_scan_inputs');
  const states = inputs.length - count;
  const all = inputs.map((_, index) => given(inputs, index));
  const sequences = all.slice(states);
  const moved = ['scan_input_axes', 'scan_output_axes'].some((name) =>
    attributes.ints(name)?.some((axis) => axisOf(axis, Number.POSITIVE_INFINITY) !== 0),
  );
  if (moved) throw new UserError('the reference scans along the first axis only');
  const backward = (name: string, index: number): boolean => attributes.ints(name)?.[index] === 1;
  const length = sequences[0]?.dims[0] ?? 0;
  if (length === 0) throw new UserError('the reference does not scan a sequence of no steps');
  let before = all.slice(0, states);
  const found: Numbers[][] = Array.from({ length: outputs - states }, () => []);
  for (let step = 0; step < length; step++) {
    const now = sequences.map((sequence, index) =>
      stepOf(sequence, backward('scan_input_directions', index) ? length - 1 - step : step),
    );
    const after = run(body, [...before, ...now]);
    before = after.slice(0, states);
    after.slice(states).forEach((value, index) => found[index]?.push(value));
  }
  return [
    ...before,
    ...found.map((list, index) =>
      stacked(backward('scan_output_directions', index) ? list.toReversed() : list),
    ),
  ];
};

const choose: Operator = (inputs, { attributes, run }) => {
  const condition = given(inputs, 0);
  const found = run(attributes.graph(condition.data[0] ? 'then_branch' : 'else_branch'), []);
  return found.map(({ type, dims, data, exact }) => ({ type, dims, data, exact: exact && condition.exact }));
};

const truth = (value: boolean): Numbers => ({
  type: 'bool',
  dims: [],
  data: Uint8Array.of(Number(value)),
  exact: true,
});

/** How often a loop may turn: a file may ask for any number. */
const MOST_TURNS = 1e6;

const loop: Operator = (inputs, { attributes, outputs, run }) => {
  const body = attributes.graph('body');
  const most = inputs[0]?.data[0] ?? Number.POSITIVE_INFINITY;
  let goesOn = inputs[1] ? inputs[1].data[0] !== 0 : true;
  let carried = inputs.slice(2).map((_, index) => given(inputs, index + 2));
  const found: Numbers[][] = Array.from({ length: outputs - carried.length }, () => []);
  for (let turn = 0; goesOn && turn < most; turn++) {
    if (turn === MOST_TURNS) throw new UserError(`it turns more than ${MOST_TURNS} times`);
    const [condition, ...after] = run(body, [withDims(int64s([turn]), []), truth(goesOn), ...carried]);
    goesOn = condition?.data[0] !== 0;
    const { length } = carried;
    carried = after.slice(0, length);
    after.slice(length).forEach((value, index) => found[index]?.push(value));
  }
  return [...carried, ...found.map(stacked)];
};

export const control: Operators = { Scan: scan, If: choose, Loop: loop };
