// Import maps do not reach into workers, so this one names its files by their addresses.
import { load } from './vendor/bitspike-runtime.js';

const opened = load('digits.onnx', { onnxruntime: './vendor/onnxruntime-web/' });

addEventListener('message', async ({ data }) => {
  try {
    const [{ label, probability }] = await (await opened).classify(data);
    postMessage({ label, probability });
  } catch ({ message }) {
    postMessage({ error: message });
  }
});
