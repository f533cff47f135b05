// Runs an exported network with nothing but onnxruntime-web (WebAssembly): node plain-onnxruntime-web.mjs digits.onnx
// In a page it is the same, with fetch(…).then((response) => response.arrayBuffer()) in place of readFile.
import { readFile } from 'node:fs/promises';
import { InferenceSession, Tensor } from 'onnxruntime-web';

const session = await InferenceSession.create(await readFile(process.argv[2]), {
  executionProviders: ['wasm'],
});
const image = new Uint8Array(784).fill(0); // 28 × 28 grey values, row by row
for (let row = 6; row < 22; row++) image.fill(255, row * 28 + 13, row * 28 + 16); // a vertical stroke
const { probabilities } = await session.run({ input: new Tensor('uint8', image, [1, 784]) });
console.log('it is a', probabilities.data.indexOf(Math.max(...probabilities.data)), [...probabilities.data]);
