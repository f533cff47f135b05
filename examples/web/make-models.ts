/**
 * Trains the two networks of the page and writes what it fetches: `npm run build && node dist/examples/web/make-models.js`
 * from the root of the repository. The same seeds give the same bytes.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { binary, defineModel, dense, encode, encoders, lif, Random, readout } from 'bitspike';
import { freeze, toOnnx } from 'bitspike/export';
import { evaluate, load } from 'bitspike/runtime';
import { type Dataset, mnist, train } from 'bitspike/train';

const folder = join(process.argv[2] ?? 'examples/web', 'public', 'models');
await mkdir(folder, { recursive: true });

const training = await mnist('train');
const test = await mnist('test');

/** Six draws from the posterior: where they disagree, the page says that it does not know. */
const digits = freeze(
  await train(
    defineModel({
      input: { type: 'uint8', shape: [784], scale: 1 / 255 },
      layers: [dense({ units: 128 }), binary(), dense({ units: 10 }), readout()],
    }),
    training,
    { epochs: 60, shift: 1, seed: 1, threads: 1 },
  ),
  { weights: 'sample', count: 6, seed: 7 },
);
const digitsFile = join(folder, 'digits.onnx');
await writeFile(digitsFile, toOnnx(digits));

/** Brightness becomes the rate of spikes; the file takes a stream of them, any number of steps in a call. */
const encoder = encoders.rate({ steps: 24, maximum: 0.2 });
const spikingModel = defineModel({
  input: { type: 'uint8', shape: [784], scale: 1 },
  encoder,
  layers: [
    dense({ units: 128 }),
    lif({ threshold: 3, decay: 0.9, reset: 'zero' }),
    dense({ units: 64 }),
    lif({ threshold: 2, decay: 0.9, reset: 'zero' }),
    dense({ units: 10 }),
    readout(),
  ],
});
const spiking = freeze(await train(spikingModel, training, { epochs: 14, shift: 1, seed: 1, threads: 1 }));
await writeFile(join(folder, 'spiking.onnx'), toOnnx(spiking, { form: 'stream' }));

const ensemble = await load(digitsFile);
const { accuracy } = await evaluate(ensemble, test.inputs, test.labels);
const answers = await ensemble.classify(test.inputs);
await ensemble.close();

const whole = await load(toOnnx(spiking));
const sequences = await evaluate(whole, spikesOf(test), test.labels);
await whole.close();

// The least sure 4 of 100 test digits are more uncertain than this.
const entropies = answers.map(({ entropy }) => entropy).sort((a, b) => a - b);
const doubt = entropies[Math.floor(0.96 * entropies.length)] as number;

await writeFile(
  join(folder, 'facts.json'),
  `${JSON.stringify({ accuracy, spikingAccuracy: sequences.accuracy, doubt: Number(doubt.toFixed(3)) }, null, 2)}\n`,
);
await writeFile(join(folder, 'samples.bin'), samplesOf(test));
console.log({ accuracy, spikingAccuracy: sequences.accuracy, doubt });

/** Every test digit as steps of spikes. */
function spikesOf({ inputs, count }: Dataset): Uint8Array {
  const size = 24 * 784;
  const spikes = new Uint8Array(count * size);
  for (let example = 0; example < count; example++) {
    const values = Float32Array.from(
      inputs.subarray(example * 784, example * 784 + 784),
      (byte) => byte / 255,
    );
    const random = Random.fromSeed(1, `test ${example}`);
    const encoded = encode(
      encoders.rate({ steps: 24, maximum: 0.5 }),
      { values, steps: 1, shape: [784] },
      random,
    );
    spikes.set(encoded.values, example * size);
  }
  return spikes;
}

/** One test digit of each class, 784 bytes each: the first that is there. */
function samplesOf({ inputs, labels }: Dataset): Uint8Array {
  const samples = new Uint8Array(10 * 784);
  for (let digit = 0; digit < 10; digit++) {
    const example = labels.indexOf(digit);
    samples.set(inputs.subarray(example * 784, example * 784 + 784), digit * 784);
  }
  return samples;
}
