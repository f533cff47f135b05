/** .onnx → answers: `import { load } from 'bitspike/runtime'`. In browsers it is `browser.ts`. */
export * from './common.ts';
export { load } from './load.ts';
export { compareDevices, probeDevices } from './node.ts';
export { type PresentDevice, presentDevices } from './present.ts';
