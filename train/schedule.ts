import { z } from 'zod';

/**
 * A number that changes over training, as plain data: a constant, or a way from one value to another.
 *
 * Progress runs from 0 at the first step to 1 after the last; `start` and `end` are parts of it. Before `start`
 * the value is `from`, after `end` it is `to`. A cosine way leaves and arrives slowly; an exponential one, between
 * numbers above 0, changes by the same factor in equal times.
 */
export const scheduleSchema = z.union([
  z.number(),
  z
    .strictObject({
      shape: z.enum(['linear', 'cosine', 'exponential']),
      from: z.number(),
      to: z.number(),
      start: z.number().min(0).max(1).default(0),
      end: z.number().min(0).max(1).default(1),
    })
    .refine(({ start, end }) => start < end, { error: 'expected start < end' })
    .refine(({ shape, from, to }) => shape !== 'exponential' || (from > 0 && to > 0), {
      error: 'an exponential way goes between numbers above 0',
    }),
]);

export type Schedule = z.output<typeof scheduleSchema>;

/** A schedule that never reaches 0. */
export const positiveScheduleSchema = scheduleSchema.refine(
  (schedule) => (typeof schedule === 'number' ? schedule > 0 : schedule.from > 0 && schedule.to > 0),
  { error: 'expected numbers above 0' },
);

type Way = (from: number, to: number, part: number) => number;

const linear: Way = (from, to, part) => from + (to - from) * part;

const ways: Record<Exclude<Schedule, number>['shape'], Way> = {
  linear,
  cosine: (from, to, part) => linear(from, to, 0.5 * (1 - Math.cos(Math.PI * part))),
  exponential: (from, to, part) => from * (to / from) ** part,
};

/** The value of a schedule. @param progress in [0, 1] */
export function scheduled(schedule: Schedule, progress: number): number {
  if (typeof schedule === 'number') return schedule;
  const { shape, from, to, start, end } = schedule;
  if (progress >= end) return to;
  return ways[shape](from, to, Math.max(0, (progress - start) / (end - start)));
}

/** Whether a schedule is that number from first to last, so that it need not be computed with. */
export const isAlways = (schedule: Schedule, value: number): boolean =>
  typeof schedule === 'number' ? schedule === value : schedule.from === value && schedule.to === value;

export const isZero = (schedule: Schedule): boolean => isAlways(schedule, 0);
