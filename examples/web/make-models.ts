/**
 * Trains the two networks of the page and writes what it fetches: `npm run build && node dist/examples/web/make-models.js`
 * from the root of the repository, with another folder as its argument to write elsewhere. The same seeds give the same
 * bytes. It prints how often the page would answer, and doubt.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { binary, defineModel, dense, encode, encoders, lif, Random, readout } from 'bitspike';
import { freeze, toOnnx } from 'bitspike/export';
import { evaluate, load } from 'bitspike/runtime';
import { type Dataset, mnist, openDataset, train } from 'bitspike/train';
import {
  drawnDigits,
  drawnScribbles,
  entropyThatKeeps,
  judge,
  noises,
  pairs,
  spoiledOnes,
  taughtKinds,
  unseenKinds,
} from './drawings/judging.ts';
import { bytesOf } from './drawings/pixels.ts';
import { examplesOf, imageAt, imagesOf, inAnotherHand, teaching } from './drawings/teaching.ts';

const { values, positionals } = parseArgs({
  options: { fashion: { type: 'string' } },
  allowPositionals: true,
});
const folder = join(positionals[0] ?? 'examples/web', 'public', 'models');
await mkdir(folder, { recursive: true });

const digits = await mnist('train');
const test = await mnist('test');
const seen = examplesOf(digits, 0, 55_000);
/** The networks never learn from these, which decide when they are in doubt. */
const heldOut = examplesOf(digits, 55_000, 60_000);
const lessons = teaching(seen, 48_000, 1);

/** Six draws from the posterior. */
const ensembleFile = join(folder, 'digits.onnx');
const posterior = await train(
  defineModel({
    input: { type: 'uint8', shape: [784], scale: 1 / 255 },
    layers: [dense({ units: 384 }), binary(), dense({ units: 10 }), readout()],
  }),
  lessons,
  // The divergence keeps the posterior broad, and with it the doubt about what was never seen.
  { epochs: 16, shift: 1, divergenceWeight: 0.01, seed: 1, threads: 1 },
);
await writeFile(ensembleFile, toOnnx(freeze(posterior, { weights: 'sample', count: 6, seed: 7 })));

const ensemble = await load(ensembleFile);
const held = Buffer.concat([heldOut.inputs, inAnotherHand(heldOut, 2).inputs]);
/** 95 of 100 digits that the networks did not learn from are less uncertain than this. */
const doubt = Number((await entropyThatKeeps(ensemble, held, 0.95)).toFixed(3));
const judged = await judge(ensemble, doubt, test.inputs, test.labels);
console.log(`doubt above ${doubt} nats`);
const otherHands = inAnotherHand(test, 3);
const drawn = drawnDigits(1000, 3);
const named: readonly (readonly [name: string, images: Uint8Array, labels?: Uint8Array])[] = [
  ['test digits', test.inputs, test.labels],
  ['test digits in another hand', otherHands.inputs, otherHands.labels],
  ['digits drawn by code', drawn.images, drawn.labels],
  ...[...taughtKinds, ...unseenKinds].map((kind) => [kind, drawnScribbles(kind, 500, 3)] as const),
  ['noise', noises(500, 3)],
  ['two digits', pairs(test.inputs, 500, 3)],
  ['digits with marks across', spoiledOnes(test.inputs, 500, 3)],
];
for (const [name, images, labels] of named) await report(name, images, labels);
// Fashion-MNIST, where its folder is given: --fashion FOLDER.
if (values.fashion)
  await report('Fashion-MNIST', (await openDataset(`idx:${values.fashion}`, 'test')).inputs);
await writeFile(join(folder, 'samples.bin'), await examplesToTry());
await ensemble.close();

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
const spiking = freeze(await train(spikingModel, lessons, { epochs: 7, shift: 1, seed: 1, threads: 1 }));
await writeFile(join(folder, 'spiking.onnx'), toOnnx(spiking, { form: 'stream' }));

const whole = await load(toOnnx(spiking));
const { accuracy: spikingAccuracy } = await evaluate(whole, spikesOf(test), test.labels);
await whole.close();

await writeFile(
  join(folder, 'facts.json'),
  `${JSON.stringify({ ...judged, spikingAccuracy, doubt }, null, 2)}\n`,
);

console.log(`the spiking network: ${percent(spikingAccuracy)} right`);

async function report(name: string, images: Uint8Array, labels?: Uint8Array): Promise<void> {
  const { answered, accuracy, accuracyOfAnswered } = await judge(ensemble, doubt, images, labels);
  const right = labels ? `, ${percent(accuracyOfAnswered)} of those right (${percent(accuracy)} of all)` : '';
  console.log(`${name}: ${percent(answered)} answered${right}`);
}

function percent(part: number): string {
  return `${(100 * part).toFixed(2)} %`;
}

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
    const encoded = encode(encoder, { values, steps: 1, shape: [784] }, random);
    spikes.set(encoded.values, example * size);
  }
  return spikes;
}

/** The first test digit of each class that is read without much doubt, as it is and as the page centres it: 784 bytes each. */
async function examplesToTry(): Promise<Uint8Array> {
  const some = test.inputs.subarray(0, 784 * 500);
  const centred = imagesOf(500, (index) => {
    const data = Float32Array.from(imageAt(some, index), (byte) => byte / 255);
    return bytesOf({ width: 28, height: 28, data });
  });
  const both = [await ensemble.classify(some), await ensemble.classify(centred)];
  return imagesOf(10, (digit) => {
    const isSure = (index: number) =>
      both.every((answers) => answers[index]?.label === digit && answers[index].entropy < doubt / 2);
    return imageAt(
      some,
      test.labels.findIndex((label, index) => label === digit && isSure(index)),
    );
  });
}
