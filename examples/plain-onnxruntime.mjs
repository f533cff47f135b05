// Runs an exported network with nothing but onnxruntime-node: node plain-onnxruntime.mjs digits.onnx
import { InferenceSession, Tensor } from 'onnxruntime-node';

const session = await InferenceSession.create(process.argv[2]);
const image = new Uint8Array(784).fill(0); // 28 × 28 grey values, row by row
for (let row = 6; row < 22; row++) image.fill(255, row * 28 + 13, row * 28 + 16); // a vertical stroke
const { probabilities } = await session.run({ input: new Tensor('uint8', image, [1, 784]) });
console.log('it is a', probabilities.data.indexOf(Math.max(...probabilities.data)), [...probabilities.data]);
