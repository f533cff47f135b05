/** The kernels for engines with 128-bit SIMD. `scalar.ts` is the same without it. */
export { dense, denseScratch } from './simd-parts/dense';
export { floatDense, signedDense } from './simd-parts/float-dense';
export { packBytes, packPlanes } from './simd-parts/pack';
export { copyPatches, joinRows, unionOfBytes, unpackBits } from './shared-parts/copy';
export { packFloats } from './shared-parts/pack-floats';
export { maximumOfWindows, orOfWindows, sumOfWindows } from './shared-parts/windows';
