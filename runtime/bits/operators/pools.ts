import { asInteger, binary, load, number, type Rows, withAmount } from '../expression.ts';
import { intsOf } from '../flat-graph.ts';
import type { FlatNode } from '../flat-graph.ts';
import type { Builder } from '../builder.ts';
import { featuresOf, type RowsValue, rowsOf, Unfit, type Value } from '../values.ts';
import { windowsOf } from '../reference/index.ts';
import type { Inputs, Operator } from './operator.ts';

/** Planes, and the windows that become the places of other ones. */
function planesOf(node: FlatNode, inputs: Inputs, whole = false) {
  const [x] = inputs;
  if (x?.kind !== 'rows' || x.dims.length !== 4 || x.axis !== 1) throw new Unfit('no planes');
  const size = whole ? x.dims.slice(2) : (intsOf(node, 'kernel_shape') ?? []);
  const windows = windowsOf(node, x.dims, size as [number, number]);
  if (windows.pads.some(Boolean) || node.outputs.length > 1) throw new Unfit('a pool with padding');
  const dims = [x.dims[0] as number, x.dims[1] as number, windows.down, windows.across];
  return { x, windows, dims };
}

/** A step that pools rows into others of the same form. */
function pooled(
  builder: Builder,
  kernel: 'orOfWindows' | 'sumOfWindows' | 'maximumOfWindows',
  { x, windows, dims }: ReturnType<typeof planesOf>,
  from: Rows,
): Rows {
  const { kernels } = builder.engine;
  if (builder.inLoop) throw new Unfit('a loop that pools');
  const [batch = 0, , height = 0, width = 0] = x.dims;
  const to = builder.room(from.form, { rows: rowsOf({ dims, axis: 1 }), features: featuresOf(x) });
  const { down, across, size, stride } = windows;
  builder.steps.push(() =>
    kernels[kernel](
      from.at,
      to.at,
      batch,
      height,
      width,
      down,
      across,
      size[0],
      size[1],
      stride[0],
      stride[1],
      from.stride,
    ),
  );
  return to;
}

const valueOf = (x: RowsValue, dims: readonly number[], expression: RowsValue['expression']): Value => ({
  ...x,
  dims,
  expression,
});

const maximum: Operator = (builder, node, inputs) => {
  const planes = planesOf(node, inputs);
  const { x, dims } = planes;
  const { expression } = x;
  const { low, high, whole, amount } = expression;
  if (expression.lane === 'mask' && (amount as number) > 0) {
    const rows = pooled(builder, 'orOfWindows', planes, builder.place(x, 'bits'));
    return [valueOf(x, dims, load(rows, { low, high, whole }, amount))];
  }
  if (!asInteger(expression)) throw new Unfit('a maximum of real numbers');
  const rows = pooled(builder, 'maximumOfWindows', planes, builder.place(x, 'i32'));
  return [valueOf(x, dims, load(rows, { low, high, whole }))];
};

/** The mean of whole numbers: their sum, which is exact, over the number of places. */
function mean(builder: Builder, node: FlatNode, inputs: Inputs, whole = false): readonly Value[] {
  const planes = planesOf(node, inputs, whole);
  const { x, windows, dims } = planes;
  const { expression } = x;
  const amount = expression.lane === 'mask' ? (expression.amount as number) : 1;
  const counted = expression.lane === 'mask' ? withAmount(expression, 1) : expression;
  if (!asInteger(counted) || x.type !== 'float32') throw new Unfit('a mean of real numbers');
  const rows = pooled(builder, 'sumOfWindows', planes, builder.place({ ...x, expression: counted }, 'i32'));
  const area = windows.size[0] * windows.size[1];
  const sums = load(rows, { low: counted.low * area, high: counted.high * area, whole: true });
  const scaled = binary('multiply', sums, number(amount));
  return [valueOf(x, dims, binary('divide', scaled, number(area)))];
}

/** Operators over the windows of planes, without weights. */
export const pools: Readonly<Record<string, Operator>> = {
  MaxPool: maximum,
  AveragePool: mean,
  GlobalAveragePool: (builder, node, inputs) => mean(builder, node, inputs, true),
};
