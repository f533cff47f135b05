import { z } from 'zod';

/**
 * A number that changes over training, as plain data: a constant, or a way from one value to another.
 *
 * Progress runs from 0 at the first step to 1 after the last; `start` and `end` are parts of it. Before `start`
 * the value is `from`, after `end` it is `to`. A cosine way leaves and arrives slowly.
 */
export const scheduleSchema = z.union([
  z.number(),
  z
    .strictObject({
      shape: z.enum(['linear', 'cosine']),
      from: z.number(),
      to: z.number(),
      start: z.number().min(0).max(1).default(0),
      end: z.number().min(0).max(1).default(1),
    })
    .refine(({ start, end }) => start < end, { error: 'expected start < end' }),
]);

export type Schedule = z.output<typeof scheduleSchema>;

const shapes = {
  linear: (part: number) => part,
  cosine: (part: number) => 0.5 * (1 - Math.cos(Math.PI * part)),
};

/** The value of a schedule. @param progress in [0, 1] */
export function scheduled(schedule: Schedule, progress: number): number {
  if (typeof schedule === 'number') return schedule;
  const { shape, from, to, start, end } = schedule;
  const part = Math.min(1, Math.max(0, (progress - start) / (end - start)));
  return from + (to - from) * shapes[shape](part);
}

/** Whether a schedule is 0 from first to last, so that what it weighs need not be computed. */
export const isZero = (schedule: Schedule): boolean =>
  typeof schedule === 'number' ? schedule === 0 : schedule.from === 0 && schedule.to === 0;
