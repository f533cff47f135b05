/** Train, freeze, export and run handwritten digits: `npm run build && node dist/examples/digits.js` */
import { writeFile } from 'node:fs/promises';
import { binary, defineModel, dense, readout } from 'bitspike';
import { freeze, toOnnx } from 'bitspike/export';
import { load } from 'bitspike/runtime';
import { mnist, train } from 'bitspike/train';

// Plain data: print it, save it, compare it.
const model = defineModel({
  input: { type: 'uint8', shape: [784], scale: 1 / 255 },
  layers: [dense({ units: 256 }), binary(), dense({ units: 10 }), readout()],
});

// Learns how probable +1 is for every weight.
const posterior = await train(model, await mnist('train'), { epochs: 2, seed: 1 });

// The likelier sign of each weight; or draws: { weights: 'sample', count: 8, seed: 7 }.
const network = freeze(posterior, { weights: 'mean' });

// One bit per weight, plain ONNX.
await writeFile('digits.onnx', toOnnx(network));

const digits = await load('digits.onnx', { device: 'cpu' });
const test = await mnist('test');
const answers = await digits.classify(test.inputs);
const right = answers.filter(({ label }, index) => label === test.labels[index]).length;
console.log(`${right} of ${test.count} digits are right`);
console.log(answers[0]);
await digits.close();
