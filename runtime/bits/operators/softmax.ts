import { load } from '../expression.ts';
import { intOf } from '../flat-graph.ts';
import { featuresOf, rowsOf, Unfit } from '../values.ts';
import type { Operator } from './operator.ts';

/** exp(x − max) / Σ exp over the features; sums and exponentials in float64, results rounded to float32. */
export const softmax: Operator = (builder, node, inputs) => {
  const [x] = inputs;
  const last = x?.kind === 'rows' ? x.dims.length - 1 : 0;
  const axis = intOf(node, 'axis', -1);
  if (
    x?.kind !== 'rows' ||
    x.type !== 'float32' ||
    x.axis !== last ||
    (axis !== -1 && axis !== last) ||
    builder.inLoop
  )
    throw new Unfit('not over the features of rows');
  const walk = { rows: rowsOf(x), features: featuresOf(x) };
  const from = builder.place(x, 'f32');
  const to = builder.room('f32', walk);
  const { heap } = builder.engine;
  const given = heap.view(Float32Array, from.at, (walk.rows * from.stride) / 4);
  const made = heap.view(Float32Array, to.at, (walk.rows * to.stride) / 4);
  const powers = new Float64Array(walk.features);
  builder.steps.push(() => {
    const [numbers, results] = [given(), made()];
    for (let row = 0; row < walk.rows; row++) {
      const start = (row * from.stride) / 4;
      const target = (row * to.stride) / 4;
      let most = Number.NEGATIVE_INFINITY;
      for (let index = 0; index < walk.features; index++)
        most = Math.max(most, numbers[start + index] as number);
      let total = 0;
      for (let index = 0; index < walk.features; index++) {
        const power = Math.exp((numbers[start + index] as number) - most);
        powers[index] = power;
        total += power;
      }
      for (let index = 0; index < walk.features; index++)
        results[target + index] = (powers[index] as number) / total;
    }
  });
  return [{ ...x, expression: load(to, { low: 0, high: 1, whole: false }) }];
};
