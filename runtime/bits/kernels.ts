import { UserError } from '../../schemas/errors.ts';
import { wasm as scalarWasm } from './generated/scalar.ts';
import { wasm as simdWasm } from './generated/simd.ts';
import type { Heap } from './memory.ts';

/** How windows lie on planes of rows: `height` × `width` places, of which `down` × `across` windows are made. */
type Pool = (
  x: number,
  y: number,
  planes: number,
  height: number,
  width: number,
  down: number,
  across: number,
  tall: number,
  wide: number,
  stepDown: number,
  stepAcross: number,
  bytes: number,
) => void;

/** What `assembly/` defines; places are byte offsets into the memory. */
export interface Kernels {
  dense(
    x: number,
    w: number,
    t: number,
    y: number,
    rows: number,
    outputs: number,
    bytes: number,
    planes: number,
    stride: number,
    limit: number,
    scratch: number,
  ): void;
  /** Bytes of scratch that `dense` needs for so many rows. */
  denseScratch(rows: number, outputs: number, bytes: number): number;
  floatDense(
    x: number,
    w: number,
    y: number,
    rows: number,
    inputs: number,
    width: number,
    xStride: number,
    yStride: number,
  ): void;
  signedDense(
    x: number,
    t: number,
    y: number,
    rows: number,
    inputs: number,
    width: number,
    xStride: number,
    yStride: number,
    tBytes: number,
  ): void;
  packBytes(x: number, y: number, rows: number, count: number, bytes: number): void;
  packPlanes(
    x: number,
    y: number,
    rows: number,
    count: number,
    bytes: number,
    planes: number,
    stride: number,
  ): void;
  packFloats(x: number, y: number, rows: number, count: number, bytes: number, stride: number): number;
  unpackBits(x: number, y: number, rows: number, count: number, bytes: number, amount: number): void;
  joinRows(
    x: number,
    y: number,
    rows: number,
    parts: number,
    bits: number,
    xBytes: number,
    bytes: number,
  ): void;
  unionOfBytes(x: number, count: number): number;
  readonly orOfWindows: Pool;
  readonly sumOfWindows: Pool;
  readonly maximumOfWindows: Pool;
  copyPatches(
    x: number,
    y: number,
    first: number,
    count: number,
    height: number,
    width: number,
    down: number,
    across: number,
    tall: number,
    wide: number,
    stepDown: number,
    stepAcross: number,
    before: number,
    left: number,
    levels: number,
    xBytes: number,
    bytes: number,
    from: number,
    bits: number,
  ): void;
}

/** A module that takes a vector and gives none: engines without SIMD do not know its type. */
const PROBE = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 1, 123, 0, 3, 2, 1, 0, 10, 4, 1, 2, 0, 11];

/** Whether this engine has 128-bit SIMD. */
export const hasSimd = (): boolean => WebAssembly.validate(Uint8Array.from(PROBE));

/** Why no WebAssembly can be compiled here, or undefined where it can. */
export function whyNoWebAssembly(): string | undefined {
  if (typeof WebAssembly === 'undefined') return 'this program has no WebAssembly';
  try {
    const smallest = new WebAssembly.Module(Uint8Array.from([0, 97, 115, 109, 1, 0, 0, 0]));
    return smallest ? undefined : 'it compiles to nothing';
  } catch (cause) {
    return `WebAssembly may not be compiled: ${(cause as Error).message}`;
  }
}

/** The kernels on a memory. @throws UserError where the page or program may not compile WebAssembly */
export async function openKernels({ memory }: Heap, simd: boolean): Promise<Kernels> {
  const why = whyNoWebAssembly();
  if (why) throw new UserError(`device bits: ${why}; a page needs the policy script-src 'wasm-unsafe-eval'`);
  const text = atob(simd ? simdWasm : scalarWasm);
  const module = await WebAssembly.compile(Uint8Array.from(text, (letter) => letter.charCodeAt(0)));
  return new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Kernels;
}
