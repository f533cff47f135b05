/** A folder of sound files to spoil: data, a training, its networks, and what describes them. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openTrainingData } from '../../cli/data.ts';
import { UserError } from '../../schemas/errors.ts';
import { modelOfJson } from '../../schemas/json.ts';
import { trainInFolder } from '../../train/index.ts';
import { dataFiles, putFiles } from './files.ts';
import { runHere } from './run-here.ts';

/** Options that keep trainings short. */
export const short = '--epochs 1 --batch-size 10 --threads 1'.split(' ');

/** @throws UserError where a sound command fails */
async function done(...args: string[]): Promise<void> {
  const { code, stderr } = await runHere(args, 600);
  if (code !== 0)
    throw new UserError(`hostile: bitspike ${args.join(' ')} ended with ${code}: ${stderr.trim()}`);
}

const json = (value: unknown): string => JSON.stringify(value, null, 1);

/** Makes the folder `in` of sound files, and `out` for what commands write. */
export async function makeFixtures(folder: string): Promise<void> {
  const at = (path: string): string => join(folder, 'in', path);
  mkdirSync(join(folder, 'out'), { recursive: true });
  putFiles(join(folder, 'in'), dataFiles());
  const data = `idx:${at('images')}`;
  const network = {
    input: { type: 'uint8', shape: [16], scale: 1 / 255 },
    layers: [
      { kind: 'dense', units: 6 },
      { kind: 'binary' },
      { kind: 'dense', units: 10 },
      { kind: 'readout' },
    ],
  };
  const spiking = {
    input: { type: 'uint8', shape: [2, 2, 1], scale: 1 },
    steps: 3,
    layers: [
      { kind: 'flatten' },
      { kind: 'dense', units: 5 },
      { kind: 'lif' },
      { kind: 'dense', units: 2 },
      { kind: 'readout' },
    ],
  };
  const training = { epochs: 1, batchSize: 10, seed: 3, validation: 0.2, learningRate: 0.01 };
  const training2 = {
    ...training,
    estimator: { kind: 'gumbelSoftmax' },
    augment: [{ kind: 'shift', most: 1 }],
  };
  putFiles(join(folder, 'in'), {
    'model.json': json(network),
    'spiking.json': json(spiking),
    'options.json': json(training2),
    'bitspike.json': json({ data, model: network, training, threads: 1, keep: 2, monitor: true }),
    'recipe.json': json({ data, recipe: 'digits', training, tensorboard: false, keepBest: true }),
    'space.json': json({
      grid: { learningRate: [0.1], 'estimator.mix': [0.5] },
      random: { penaltyWeight: { from: 1e-7, to: 1e-4, scale: 'log' }, seed: [1, 2] },
      runs: 1,
      seed: 1,
    }),
  });
  const running = { threads: 1, keepBest: true, tensorboard: join(at('run'), 'tensorboard') };
  await trainInFolder(at('run'), modelOfJson(network, 'network'), await openTrainingData({ data }), {
    ...training,
    ...running,
    epochs: 2,
  });
  await trainInFolder(
    at('steps'),
    modelOfJson(spiking, 'spiking'),
    await openTrainingData({ data: `frames:${at('frames')}` }),
    { epochs: 1, batchSize: 4, threads: 1 },
  );
  await done('sweep', '--data', data, '--out', at('sweep'), '--hidden', '4', ...short, '--grid', 'seed=1');
  const forms: Readonly<Record<string, readonly string[]>> = {
    'net.onnx': [],
    'ensemble.onnx': '--weights sample --count 2 --seed 1'.split(' '),
    'noisy.onnx': ['--noise', 'input'],
    'external/net.onnx': ['--external', '1'],
  };
  mkdirSync(at('external'));
  for (const [file, how] of Object.entries(forms)) await done('export', at('run'), '--out', at(file), ...how);
  await done('export', at('steps'), '--out', at('steps.onnx'));
  await done('export', at('steps'), '--out', at('stream.onnx'), '--stream');
  const certificate = at('net.certificate.json');
  const how = ['--renew', '--inputs', '10', '--devices', 'cpu,bits', '--threads', '1'];
  await done('verify', at('net.onnx'), '--certificate', certificate, ...how);
  // What is checked against it is the file that it was made for.
  writeFileSync(at('sound.onnx'), readFileSync(at('net.onnx')));
}
