/** The kernels for engines without SIMD: the same numbers, 64 bits at a time. */
export { dense, denseScratch } from './scalar-parts/dense';
export { floatDense, signedDense } from './scalar-parts/float-dense';
export { packBytes, packPlanes } from './scalar-parts/pack';
export { copyPatches, joinRows, unionOfBytes, unpackBits } from './shared-parts/copy';
export { packFloats } from './shared-parts/pack-floats';
export { maximumOfWindows, orOfWindows, sumOfWindows } from './shared-parts/windows';
