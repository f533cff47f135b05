/** The kernels for engines without SIMD: the same numbers, 64 bits at a time. */
export { dense } from './scalar-parts/dense';
export { floatDense, signedDense } from './scalar-parts/float-dense';
export { packBytes, packPlanes } from './scalar-parts/pack';
export { maximumOfWindows, orOfWindows, sumOfWindows } from './scalar-parts/windows';
export { copyPatches, joinRows, unionOfBytes, unpackBits } from './shared-parts/copy';
export { packFloats } from './shared-parts/pack-floats';
