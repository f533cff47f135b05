import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { addTraining, settingsOf } from '../cli/training-options.ts';

/** What a training is told by these arguments. */
function settingsBy(...given: string[]) {
  const command = addTraining(new Command('train'))
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  command.parse(given, { from: 'user' });
  return settingsOf(command.opts());
}

describe('flags of a training', () => {
  test.each([
    [['--drop-last'], { dropLast: true }],
    [['--unroll'], { unroll: true }],
    [['--checkpointing', '50'], { checkpointing: { every: 50 } }],
    [['--initial-gain', '0.5'], { initialGain: 0.5 }],
    [['--initial-gain', 'data'], { initialGain: 'data' }],
    [['--initial-gain', 'data:0.5'], { initialGain: { kind: 'data', scale: 0.5, centre: false } }],
    [['--initial-gain', 'data:0.5:centre'], { initialGain: { kind: 'data', scale: 0.5, centre: true } }],
    [[], {}],
  ])('%j', (given, expected) => {
    expect(settingsBy(...given)).toEqual(expected);
  });

  test.each([
    [['--initial-gain', 'datum'], 'Expected a number'],
    [['--initial-gain', 'data:0'], 'Expected a number, or data[:SCALE[:centre]]'],
    [['--initial-gain', 'data:1:2'], 'Expected a number, or data[:SCALE[:centre]]'],
    [['--checkpointing', 'all'], 'Expected a number'],
  ])('%j is refused', (given, expected) => {
    expect(() => settingsBy(...given)).toThrow(expected);
  });
});
