import { z } from 'zod';

const inside = z.number().gt(0).lt(1);

/**
 * How a schedule begins: a linear rise over the first part of training, from 0 or from a part of its first value.
 *
 * The schedule's own way starts where the rise ends, or later if it says so.
 */
const warmUpSchema = z.union(
  [inside, z.strictObject({ over: inside, from: z.number().min(0).lt(1).default(0) })],
  { error: 'expected a part of the training, between 0 and 1, or { over, from }' },
);

const warmUp = warmUpSchema.exactOptional();

const waySchema = <Shape extends string>(shape: Shape) =>
  z
    .strictObject({
      shape: z.literal(shape),
      from: z.number(),
      to: z.number(),
      start: z.number().min(0).max(1).default(0),
      end: z.number().min(0).max(1).default(1),
      warmUp,
    })
    .refine(({ start, end }) => start < end, { error: 'expected start < end' })
    .refine((way) => risenAt(way) < way.end, { error: 'expected a warmUp that ends before end' })
    .refine(({ from, to }) => shape !== 'exponential' || (from > 0 && to > 0), {
      error: 'an exponential way goes between numbers above 0',
    });

const ascending = (numbers: readonly number[]): boolean =>
  numbers.every((number, index) => index === 0 || number > numbers[index - 1]!);

const shapedSchema = z.discriminatedUnion(
  'shape',
  [
    z.strictObject({ shape: z.literal('constant'), value: z.number(), warmUp }),
    waySchema('linear'),
    waySchema('cosine'),
    waySchema('exponential'),
    z
      .strictObject({
        shape: z.literal('step'),
        from: z.number(),
        factor: z.number().positive(),
        at: z.array(inside).min(1),
        warmUp,
      })
      .refine(({ at }) => ascending(at), { error: 'expected at in ascending order' })
      .refine((step) => risenAt(step) < step.at[0]!, {
        error: 'expected a warmUp that ends before the first of at',
      }),
  ],
  { error: 'expected constant, linear, cosine, exponential or step' },
);

/**
 * A number that changes over training, as plain data: a constant, or a shape.
 *
 * Progress runs from 0 at the first step to 1 after the last; `start`, `end` and `at` are parts of it. Before
 * `start` the value is `from`, after `end` it is `to`. A cosine way leaves and arrives slowly; an exponential one,
 * between numbers above 0, changes by the same factor in equal times. A step is multiplied by `factor` at each
 * part in `at`. Any shape can begin with a `warmUp`.
 */
export const scheduleSchema = z.union([z.number(), shapedSchema], {
  // Of an object it is the shape's own complaint that helps.
  error: (issue) =>
    issue.code === 'invalid_union' && typeof issue.input === 'object'
      ? issue.errors[1]?.map(({ path, message }) => [...path, message].join(': ')).join('; ')
      : 'expected a number or a schedule',
});

/** A number, or one that changes over the training. */
export type Schedule = z.output<typeof scheduleSchema>;
type Shaped = Exclude<Schedule, number>;

type ShapedAs<Shape extends Shaped['shape']> = Extract<Shaped, { shape: Shape }>;

/** What a shape of schedule says, apart from its warm-up. */
interface Rule<Of> {
  /** Every value at which it turns, in order; all others lie between them. */
  turns(schedule: Of): readonly number[];
  /** Its value. @param begin where its way may begin */
  at(schedule: Of, progress: number, begin: number): number;
}

type Way = (from: number, to: number, part: number) => number;
type WaySchedule = ShapedAs<'linear' | 'cosine' | 'exponential'>;

const ruleOfWay = (way: Way): Rule<WaySchedule> => ({
  turns: ({ from, to }) => [from, to],
  at({ from, to, start, end }, progress, begin) {
    if (progress >= end) return to;
    const first = Math.max(start, begin);
    return way(from, to, Math.max(0, (progress - first) / (end - first)));
  },
});

const linear: Way = (from, to, part) => from + (to - from) * part;

const rules: { readonly [Shape in Shaped['shape']]: Rule<ShapedAs<Shape>> } = {
  constant: { turns: ({ value }) => [value], at: ({ value }) => value },
  linear: ruleOfWay(linear),
  cosine: ruleOfWay((from, to, part) => linear(from, to, 0.5 * (1 - Math.cos(Math.PI * part)))),
  exponential: ruleOfWay((from, to, part) => from * (to / from) ** part),
  step: {
    turns: ({ from, factor, at }) => [from, ...at.map((_, index) => from * factor ** (index + 1))],
    at: ({ from, factor, at }, progress) => from * factor ** at.filter((part) => progress >= part).length,
  },
};

const ruleOf = (schedule: Shaped): Rule<Shaped> => rules[schedule.shape] as Rule<Shaped>;

type WarmUp = z.output<typeof warmUpSchema>;

const riseOf = ({ warmUp = { over: 0, from: 1 } }: { readonly warmUp?: WarmUp }) =>
  typeof warmUp === 'number' ? { over: warmUp, from: 0 } : warmUp;

/** Where the warm-up of a schedule ends. */
function risenAt(schedule: { readonly warmUp?: WarmUp }): number {
  return riseOf(schedule).over;
}

/** The value of a schedule. @param progress in [0, 1] */
export function scheduled(schedule: Schedule, progress: number): number {
  if (typeof schedule === 'number') return schedule;
  const rule = ruleOf(schedule);
  const { over, from } = riseOf(schedule);
  if (progress >= over) return rule.at(schedule, progress, over);
  return rule.at(schedule, over, over) * linear(from, 1, progress / over);
}

/** The values at which a schedule turns, the one it rises from included; all others lie between them. */
function turnsOf(schedule: Schedule): readonly number[] {
  if (typeof schedule === 'number') return [schedule];
  const turns = ruleOf(schedule).turns(schedule);
  return [turns[0]! * riseOf(schedule).from, ...turns];
}

/** A schedule that never reaches 0. */
export const positiveScheduleSchema = scheduleSchema.refine(
  (schedule) => turnsOf(schedule).every((value) => value > 0),
  { error: 'expected numbers above 0' },
);

/** A schedule that never falls below 0. */
export const nonNegativeScheduleSchema = scheduleSchema.refine(
  (schedule) => turnsOf(schedule).every((value) => value >= 0),
  { error: 'expected numbers not below 0' },
);

/** Whether a schedule is that number from first to last, so that it need not be computed with. */
export const isAlways = (schedule: Schedule, value: number): boolean =>
  turnsOf(schedule).every((turn) => turn === value);

export const isZero = (schedule: Schedule): boolean => isAlways(schedule, 0);
