// Shared memory, and so threads, exist only where the page is cross-origin isolated.
const isolation = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

export default {
  build: { target: 'es2023' },
  // It finds its .wasm beside itself, which it would not in Vite's cache of dependencies.
  optimizeDeps: { exclude: ['onnxruntime-web'] },
  server: { headers: isolation },
  preview: { headers: isolation },
};
