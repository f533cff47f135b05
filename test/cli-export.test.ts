import { readdir, readFile, writeFile } from 'node:fs/promises';
import { beforeEach, expect, test, vi } from 'vitest';
import { runProgram } from '../cli/program.ts';
import { savePosterior } from '../schemas/checkpoint/index.ts';
import { describe as describeModel } from '../schemas/description.ts';
import { defineModel, dense, lif, readout } from '../schemas/index.ts';
import { readModel } from '../schemas/onnx/index.ts';
import { freshFolder } from './support/folder.ts';
import { randomPosterior } from './support/posteriors.ts';

const { path } = freshFolder();
const model = defineModel({
  input: { type: 'uint8', shape: [30], scale: 1 },
  steps: 4,
  layers: [dense({ units: 20 }), lif(), dense({ units: 3 }), readout()],
});

beforeEach(async () => {
  await savePosterior(path('run'), randomPosterior(model));
});

/** Runs a command in this program: its exit code, and what it wrote. */
async function run(...args: string[]) {
  const written = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((stream) =>
    vi.spyOn(process[stream], 'write').mockImplementation((text) => {
      written[stream] += String(text);
      return true;
    }),
  );
  const errors = vi.spyOn(console, 'error').mockImplementation((text) => {
    written.stderr += `${String(text)}\n`;
  });
  try {
    const code = await runProgram(args);
    return { code, ...written };
  } finally {
    for (const spy of [...spies, errors]) spy.mockRestore();
  }
}

const exported = async (...args: string[]) => {
  const { code, stderr } = await run('export', path('run'), '--out', path('net.onnx'), ...args);
  expect([code, stderr]).toEqual([0, '']);
  const file = readModel(await readFile(path('net.onnx')));
  return { file, description: describeModel(file, 'net.onnx') };
};

test('export writes the form that is asked for', async () => {
  expect((await exported('--stream')).description.states?.map(({ name }) => name)).toEqual([
    '1.lif.membrane',
    '3.readout.sum',
    '3.readout.steps',
  ]);
  const noisy = await exported('--noise', 'input');
  expect(noisy.description.noise?.map(({ input }) => input)).toEqual(['noise.1.lif', 'noise.3.readout']);
  const { file } = await exported('--target', 'gpu', '--opset', '23', '--no-functions');
  expect([file.opsets.get(''), file.functions.length]).toEqual([23, 0]);
  expect(file.graph.inputs[0]!.dims).toEqual([4, 'batch', 30]);
  expect((await exported('--unroll')).file.graph.nodes.map(({ op }) => op)).not.toContain('Scan');
});

test('export puts large tensors beside the file, and cleans up after itself', async () => {
  await exported('--external', '64');
  const names = await readdir(path());
  expect(names.filter((name) => name.endsWith('.data')).length).toBe(1);
  await exported();
  expect((await readdir(path())).sort()).toEqual(['net.onnx', 'run']);
});

test.each([
  [['--noise', 'input', '--count', '2'], '--count is for frozen networks'],
  [['--noise', 'input', '--stream'], '--stream is for frozen networks'],
  [['--noise', 'input', '--target', 'gpu'], '--target is for frozen networks'],
  [['--stream', '--unroll'], 'cannot be unrolled'],
  [['--opset', '20'], 'export: opset'],
])('export refuses %j in one line, and writes nothing', async (args, message) => {
  const { code, stderr } = await run('export', path('run'), '--out', path('net.onnx'), ...args);
  expect(code).toBe(1);
  expect(stderr).toContain(message);
  expect(stderr.trim().split('\n').length).toBe(1);
  expect(await readdir(path())).toEqual(['run']);
});

test('inspect counts operations, and those that spikes trigger', async () => {
  await exported();
  const plain = await run('inspect', path('net.onnx'), '--json', '--energy', 'integerAdd=1');
  const json = JSON.parse(plain.stdout.trim().split('\n').at(-1)!);
  expect(json.operations.synaptic).toBe(4 * (600 + 60));
  expect(json.operations.triggered).toBeUndefined();
  expect(json.picojoules).toEqual({ integerAdd: 1, floatAdd: 0.9, floatMultiply: 3.7 });
  expect(plain.stdout).toContain('Horowitz');
  expect(json.bits.weights).toBeGreaterThan(600 / 8);
  expect(json.bits.peak).toBeGreaterThanOrEqual(json.bits.now);
  expect(plain.stdout).toContain('device bits, one example: ');
  expect((await run('inspect', path('net.onnx'), '--limit', '3')).stderr).toContain('--limit is for --data');
  await writeFile(path('bad.onnx'), 'bad');
  expect((await run('inspect', path('bad.onnx'))).code).toBe(1);
});
