import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { caseOf, runCase } from '../bench/hostile/case.ts';
import { makeFixtures } from '../bench/hostile/fixtures.ts';
import { kinds } from '../bench/hostile/kinds.ts';
import { faultOf, leftoversIn, listingOf, runHere } from '../bench/hostile/run-here.ts';
import { inOneLine } from '../cli/output.ts';
import { readModel, writeModel } from '../schemas/onnx/index.ts';

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bitspike-hostile-'));
  await makeFixtures(folder);
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** `npm run -s bench -- hostile` runs all of them by the thousand; these start no threads. */
const isQuick = (number: number): boolean => {
  const { args, kind } = caseOf(1, number, folder);
  return !['train', 'serve', 'report'].includes(args[0] ?? '') && kind !== 'hdf5';
};

describe('spoilt files', () => {
  test('are taken or refused in one line, by every command, and nothing else is written', {
    timeout: 600_000,
  }, async () => {
    const numbers = Array.from({ length: 6 * kinds.length }, (_, number) => number).filter(isQuick);
    expect(numbers.length).toBeGreaterThan(150);
    const verdicts = { taken: 0, refused: 0 };
    for (const number of numbers) {
      const { fault, code, line, kind } = await runCase(1, number, folder, runHere);
      expect(fault, `${kind}, number ${number}: ${line}`).toBeUndefined();
      verdicts[code === 0 ? 'taken' : 'refused']++;
    }
    // What is never refused was not spoilt, and what is never taken was no file of ours.
    expect(Math.min(verdicts.taken, verdicts.refused)).toBeGreaterThan(20);
  });

  test('the same seed spoils the same', async () => {
    const [first, second] = [await runCase(7, 41, folder, runHere), await runCase(7, 41, folder, runHere)];
    const { seconds: _first, ...said } = first;
    const { seconds: _second, ...again } = second;
    expect(again).toEqual(said);
  });
});

test.each([
  ['noisy.onnx', 'bitspike.noise', 'images'],
  ['stream.onnx', 'bitspike.states', 'frames'],
])('%s whose metadata lack %s is refused', async (name, key, data) => {
  const model = readModel(readFileSync(join(folder, 'in', name)));
  const metadata = new Map([...model.metadata].filter(([name]) => name !== key));
  const file = join(folder, 'out', 'lacks.onnx');
  writeFileSync(file, writeModel({ ...model, metadata }));
  const spec = `${data === 'images' ? 'idx' : 'frames'}:${join(folder, 'in', data)}`;
  const { code, stderr } = await runHere(['eval', file, '--split', 'train', '--data', spec]);
  expect([code, stderr]).toEqual([
    1,
    expect.stringMatching(/^bitspike: .*lacks\.onnx: its graph takes '[^\n]+\n$/),
  ]);
});

describe('what is held against a command', () => {
  test.each([
    [{ code: 0, stderr: '' }, undefined],
    [{ code: 0, stderr: 'bitspike: warning: a\n' }, undefined],
    [{ code: 1, stderr: 'bitspike: a\n' }, undefined],
    [{ code: 1, stderr: 'bitspike: warning: a\nbitspike: b\n' }, undefined],
    [{ code: 1, stderr: '' }, 'exit code 1 with 0 lines'],
    [{ code: 1, stderr: 'bitspike: a\nbitspike: b\n' }, 'exit code 1 with 2 lines'],
    [{ code: 0, stderr: 'bitspike: a\n' }, 'done, and yet it says'],
    [{ code: 1, stderr: 'bitspike: a\n    at b.js:1\n' }, 'standard error holds'],
    [{ code: 70, stderr: 'bitspike: a defect\n' }, 'exit code 70'],
    [{ code: null, stderr: '' }, 'exit code null'],
    [{ code: 1, stderr: 'bitspike: \u001B[2J\n' }, 'control characters'],
    [{ code: 1, stderr: `bitspike: ${'x'.repeat(3000)}\n` }, 'a line of 3010 characters'],
  ])('%j', (ended, fault) => {
    expect(String(faultOf(ended))).toContain(String(fault));
  });

  test('a file outside of its folder, and one half written', () => {
    const out = join(folder, 'out');
    const before = listingOf(folder, out);
    writeFileSync(join(out, '.n.onnx.tmp-12ab'), '');
    expect(listingOf(folder, out)).toBe(before);
    expect(leftoversIn(out)).toEqual(['.n.onnx.tmp-12ab']);
    writeFileSync(join(folder, 'stray'), '');
    expect(listingOf(folder, out)).not.toBe(before);
    rmSync(join(folder, 'stray'));
  });
});

test('a message is one line that steers no terminal, however long what it quotes is', () => {
  expect(inOneLine('a\n  b\u001B[31m\r\u2028\u0000')).toBe('a b\\u001b[31m\\u000d\\u2028\\u0000');
  const cut = inOneLine(`begin ${'x'.repeat(1e5)} end`);
  expect(cut).toHaveLength(1503);
  expect(cut).toMatch(/^begin x+ … x+ end$/);
});
