import { asFloat, asInteger, type Expression, type Form, type Operation, partsOf } from './expression.ts';

/** What one kernel computes: numbers out of rows and vectors, into rows. */
export interface Assignment {
  readonly form: Form;
  readonly value: Expression;
}

/** A part of what a kernel computes; equal parts are one. */
export interface Part {
  readonly op: Operation;
  readonly lane: Expression['lane'];
  /** Indices of other parts. */
  readonly args: readonly number[];
  readonly value?: number | undefined;
  /** Index of the stream that is read. */
  readonly stream?: number | undefined;
  /** Of 'toFloat' and 'toInteger': what a set mask stands for. */
  readonly amount?: number | undefined;
}

/** What a kernel reads or writes, as its caller lists it. */
export type Stream =
  | { readonly kind: 'rows' | 'spread' | 'repeat'; readonly form: Form; readonly expression: Expression }
  | { readonly kind: 'vector'; readonly form: 'f32' | 'i32'; readonly expression: Expression };

export interface Lowered {
  readonly parts: readonly Part[];
  /** What is read; what is written follows in the order of the assignments. */
  readonly streams: readonly Stream[];
  readonly results: readonly { readonly form: Form; readonly part: number }[];
  /** Equal for kernels with equal code. */
  readonly key: string;
}

/** The registers of a kernel, each part once. */
export function lower(assignments: readonly Assignment[]): Lowered {
  const values = assignments.map(({ form, value }) => fitting(form, value));
  const parts: Part[] = [];
  const streams: Stream[] = [];
  const indices = new Map<Expression, number>();
  const known = new Map<string, number>();
  const streamOf = (stream: Stream): number => {
    const { rows, vector, count } = stream.expression;
    const index = streams.findIndex(
      ({ kind, form, expression }) =>
        kind === stream.kind &&
        form === stream.form &&
        expression.count === count &&
        (rows ? expression.rows === rows : expression.vector === vector),
    );
    return index >= 0 ? index : streams.push(stream) - 1;
  };
  const numberOf = (part: Part): number => {
    const key = JSON.stringify([part.op, part.lane, part.args, String(part.value), part.stream, part.amount]);
    const same = known.get(key);
    if (same !== undefined) return same;
    known.set(key, parts.length);
    return parts.push(part) - 1;
  };
  for (const each of partsOf(values)) {
    const { op, lane, args, rows, vector, value } = each;
    const stream = rows
      ? streamOf({
          kind: op === 'spread' || op === 'repeat' ? op : 'rows',
          form: rows.form,
          expression: each,
        })
      : vector
        ? streamOf({ kind: 'vector', form: 'f32', expression: each })
        : undefined;
    const converts = op === 'toFloat' || op === 'toInteger';
    const amount = converts ? args[0]?.amount : undefined;
    const places = args.map((arg) => indices.get(arg) as number);
    indices.set(each, numberOf({ op, lane, args: places, value, stream, amount }));
  }
  const results = values.map((value, index) => ({
    form: (assignments[index] as Assignment).form,
    part: indices.get(value) as number,
  }));
  const forms = streams.map(({ kind, form }) => [kind, form]);
  return { parts, streams, results, key: JSON.stringify([parts, forms, results], keepZero) };
}

/** −0 and what is not finite have no form of their own in JSON. */
const keepZero = (_key: string, value: unknown): unknown =>
  typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0))
    ? Object.is(value, -0)
      ? '-0'
      : String(value)
    : value;

/** A value in the lane that its form wants. */
function fitting(form: Form, value: Expression): Expression {
  if (form === 'bits') {
    if (value.lane !== 'mask') throw new Error(`bits of a ${value.lane}`);
    return value;
  }
  if (form === 'f32') return asFloat(value);
  const whole = asInteger(value);
  if (!whole) throw new Error(`${form} of numbers that are not whole`);
  return whole;
}
