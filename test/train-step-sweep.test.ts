import { readFile } from 'node:fs/promises';
import { parseHTML } from 'linkedom';
import { expect, test } from 'vitest';
import type { Findings } from '../bench/harness.ts';
import { type TrainStep, trainStepOf } from '../bench/nets.ts';
import { sweepOf } from '../bench/train-step-sweep.ts';
import { UserError } from '../schemas/errors.ts';
import { freshFolder } from './support/folder.ts';

/** What a step would cost if it cost a millisecond per time step and unit of batch, and a peer twice as much. */
const compareWith =
  (seen: TrainStep[], peers: readonly (readonly [string, number | null])[]) =>
  async (step: TrainStep): Promise<Findings> => {
    seen.push(step);
    const ours = step.time * step.batch;
    const rows = peers.map(([peer, times]) => ({
      name: 'B/1',
      peer,
      ours,
      theirs: times === null ? null : ours * times,
      unit: 'ms',
      ratio: times === null ? null : 1 / times,
    }));
    return { rows, notes: [`measured ${step.time}`] };
  };

const folder = freshFolder();
const step = trainStepOf('B');
const peers = [
  ['pytorch', 2],
  ['snntorch', null],
] as const;

test('a sweep varies one size after another and leaves the others as they are', async () => {
  const seen: TrainStep[] = [];
  const found = await sweepOf(step, ['time', 'width', 'batch'], {
    compare: compareWith(seen, peers),
    clock: 'wall',
  });
  const times = [50, 100, 200, 400].map((time) => trainStepOf('B', { time }));
  const widths = [128, 256, 512, 1024].map((units) => trainStepOf('B', { hidden: [units, units] }));
  const batches = [8, 16, 32, 64].map((batch) => trainStepOf('B', { batch }));
  expect(seen).toEqual([...times, ...widths, ...batches]);
  expect(found.rows).toHaveLength(24);
  expect(found.notes[0]).toBe('time steps 50: bitspike 1600 ms, pytorch 3200 ms');
  expect(found.notes.at(-1)).toBe('measured 100');
});

test('its plot has a line for each contender that was there, in each sweep', async () => {
  const file = folder.path('sweep.svg');
  const compare = compareWith([], peers);
  await sweepOf(step, ['time', 'batch'], { compare, clock: 'processor', svg: file });
  const { document } = parseHTML(await readFile(file, 'utf8'));
  const lines = [...document.querySelectorAll('g[aria-label="line"]')];
  expect(lines.map((each) => each.querySelectorAll('path').length)).toEqual([2, 2]);
  expect(document.querySelectorAll('g[aria-label="dot"] circle')).toHaveLength(16);
  expect(document.documentElement.textContent).toContain('ms of a processor per step');
  expect(document.documentElement.textContent).not.toContain('snntorch');
});

test('a net without time has none to sweep', async () => {
  const swept = sweepOf(trainStepOf('A'), ['time'], { compare: compareWith([], peers), clock: 'wall' });
  await expect(swept).rejects.toThrow(UserError);
});
