import type { Form, Operation } from './expression.ts';
import { emitScalarLanes } from './emit-scalar.ts';
import { emitVectorLanes } from './emit-vector.ts';
import type { Lowered } from './lanes.ts';
import { Code, I32, unsigned } from './wasm-writer.ts';

/** Lanes of a block: what is computed before its bits are written. */
export const LANES = 16;

/** Bytes of a block, by form. */
export const blockBytes: Record<Form, number> = { bits: 2, u8: 16, i32: 64, f32: 64 };

/** The parameters of a kernel, in this order. */
export const parameters = {
  /** Address of three int32 per stream: address, bytes from time to time, bytes from row to row. */
  table: 0,
  /** The first time, and the one behind the last. */
  from: 1,
  to: 2,
  rows: 3,
  /** Blocks of a row. */
  blocks: 4,
  /** The bits of the last block that are features. */
  tail: 5,
} as const;

/** What the lanes of a block are computed from. */
export interface Lanes {
  readonly code: Code;
  readonly lowered: Lowered;
  /** The local that holds the address of each stream's block; those that are written come last. */
  readonly places: readonly number[];
  /** The local that holds which bits of the block are features. */
  readonly kept: number;
}

/** The instruction of each operation that has one of its own, for int32 and for float32. */
export type Opcodes = Partial<Record<Operation, { readonly i32?: number; readonly f32?: number }>>;

/** Writes a kernel: loops over times, rows and blocks, and in them the lanes. */
export function emitKernel(lowered: Lowered, simd: boolean): Uint8Array<ArrayBuffer> {
  const code = new Code(6);
  const widths = [
    // The one number of a row stays where it is.
    ...lowered.streams.map(({ kind, form }) => (kind === 'spread' ? 0 : blockBytes[form])),
    ...lowered.results.map(({ form }) => blockBytes[form]),
  ];
  const streams = widths.map((width) => ({
    width,
    base: code.local(I32),
    time: code.local(I32),
    stride: code.local(I32),
    row: code.local(I32),
    place: code.local(I32),
  }));
  const [row, block, kept] = [code.local(I32), code.local(I32), code.local(I32)];
  streams.forEach(({ base, time, stride }, index) => {
    [base, time, stride].forEach((local, word) => {
      code
        .get(parameters.table)
        .op(0x28, 2, ...unsigned(index * 12 + word * 4))
        .set(local);
    });
  });
  code.repeat(() => {
    for (const { base, time, row: start } of streams)
      code.get(parameters.from).get(time).op(0x6c).get(base).op(0x6a).set(start);
    code.get(parameters.rows).set(row);
    code.repeat(() => {
      for (const { row: start, place } of streams) code.get(start).set(place);
      code.get(parameters.blocks).set(block);
      code.repeat(() => {
        code.get(parameters.tail).integer(0xffff).get(block).integer(1).op(0x46, 0x1b).set(kept);
        const lanes = { code, lowered, places: streams.map(({ place }) => place), kept };
        if (simd) emitVectorLanes(lanes);
        else emitScalarLanes(lanes);
        for (const { width, place } of streams) if (width > 0) code.increase(place, width);
        code.increase(block, -1).get(block);
      });
      for (const { row: start, stride } of streams) code.increase(start, { local: stride });
      code.increase(row, -1).get(row);
    });
    code.increase(parameters.from, 1).get(parameters.from).get(parameters.to).op(0x49);
  });
  return code.module();
}
