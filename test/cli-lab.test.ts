import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseHTML } from 'linkedom';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LabNetwork } from '../train/lab/index.ts';
import { buildCli, jsonOf, startCli } from './support/cli.ts';

let built: string;
let folder: string;

beforeAll(() => {
  built = buildCli();
  folder = mkdtempSync(join(tmpdir(), 'bitspike-lab-'));
});
afterAll(() => {
  rmSync(built, { recursive: true });
  rmSync(folder, { recursive: true });
});

const lab = (...args: string[]) => startCli(built, ['lab', ...args], folder).ended;

const quick = ['--steps', '3', '--repeats', '1', '--samples', '40'];

test('tables, JSON and a chart', async () => {
  const ended = await lab(
    '--estimators=straightThrough,importanceWeighted,gumbelSoftmax',
    '--mixes=0.5,1',
    '--depth=1,2',
    '--width=2',
    '--svg=lab.svg',
    '--json',
    ...quick,
  );
  expect(ended).toMatchObject({ code: 0, stderr: '' });
  const names = ['straightThrough', 'importanceWeighted 0.5', 'importanceWeighted 1', 'gumbelSoftmax 1'];
  const { networks } = jsonOf(ended) as unknown as { networks: LabNetwork[] };
  expect(networks.map(({ widths, penalty }) => [widths, penalty])).toEqual([
    [[2], 'none'],
    [[2], 'bias'],
    [[2, 2], 'none'],
    [[2, 2], 'bias'],
  ]);
  for (const { estimators, exactTruth } of networks) {
    expect(exactTruth).toBe(true);
    expect(estimators.map(({ name }) => name)).toEqual(names);
    expect(estimators.map(({ exact }) => exact)).toEqual([true, true, true, false]);
  }
  const { hidden } = networks[0]!.estimators[0]!;
  expect(ended.stdout).toContain('2, no penalty, mean (u/σ)²');
  expect(ended.stdout).toMatch(new RegExp(`straightThrough +${hidden.bias.value.toPrecision(3)} `));
  expect(ended.stdout).toMatch(/gumbelSoftmax 1 .* ± /);

  const { document } = parseHTML(readFileSync(join(folder, 'lab.svg'), 'utf8'));
  const texts = [...document.querySelectorAll('text')].map((text) => text.textContent);
  expect(texts).toEqual(expect.arrayContaining([...names, 'no penalty', 'penalty bias']));
  const paths = [...document.querySelectorAll('path')].map((path) => path.getAttribute('d') ?? '');
  expect(paths.some((path) => path.startsWith('M') && path.includes('L'))).toBe(true);
  expect(paths.join()).not.toContain('NaN');
});

test('the same seed tells the same', async () => {
  const args = ['--widths', '2', ...quick, '--estimators', 'gumbelSoftmax', '--penalty', 'none', '--json'];
  const [first, again, other] = [await lab(...args), await lab(...args), await lab(...args, '--seed', '2')];
  expect(jsonOf(again)).toEqual(jsonOf(first));
  expect(jsonOf(other)).not.toEqual(jsonOf(first));
});

test.each([
  [1, ['--widths', '4', '--depth', '2'], '--widths names one network, --depth and --width several'],
  [1, ['--widths', '2', '--mixes', '3', ...quick], 'importanceWeighted(): mix'],
  [1, ['--widths', '2', '--svg', '.'], 'is a folder; name a file to write'],
  [2, ['--estimators', 'reinmax'], 'Expected some of straightThrough, importanceWeighted'],
  [2, ['--widths', '4,0'], 'Expected a whole number above 0'],
  [2, ['--weights', 'ternary'], 'certain, bernoulli'],
] as const)('a mistake is told in one line (%i) %j', async (code, args, line) => {
  const before = readdirSync(folder);
  const ended = await lab(...args);
  expect(ended.stderr).toMatch(/^bitspike: [^\n]+\n$/);
  expect(ended.stderr).toContain(line);
  expect(ended.code).toBe(code);
  expect(readdirSync(folder)).toEqual(before);
});
