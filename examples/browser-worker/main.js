// The page stays free while the network computes.
const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });

worker.addEventListener('message', ({ data: { label, probability, error } }) => {
  document.querySelector('#answer').textContent =
    error ?? `it is a ${label} (${(probability * 100).toFixed(1)} %)`;
});

const image = new Uint8Array(784); // 28 × 28 grey values, row by row
for (let row = 6; row < 22; row++) image.fill(255, row * 28 + 13, row * 28 + 16); // a vertical stroke
worker.postMessage(image, [image.buffer]);
