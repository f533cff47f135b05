// A network in a page that Vite builds; digits.onnx lies in public/.
import { load } from 'bitspike/runtime';

const digits = await load('digits.onnx', { device: 'wasm' });
const image = new Uint8Array(784); // 28 × 28 grey values, row by row
for (let row = 6; row < 22; row++) image.fill(255, row * 28 + 13, row * 28 + 16); // a vertical stroke
const [answer] = await digits.classify(image);
document.querySelector('#answer').textContent =
  `it is a ${answer.label} (${(answer.probability * 100).toFixed(1)} %)`;
for (const note of digits.notes) console.info(note); // why there is but one thread, say
