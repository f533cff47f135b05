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
  /**
   * Address of four int32 per stream: address, bytes from time to time, bytes from row to row, and 1. Of one that
   * repeats its rows, the second are the rows from time to time that read it, and the last how many read the same row.
   */
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

/** Bytes of the table per stream. */
export const ENTRY = 16;

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
    count: code.local(I32),
    row: code.local(I32),
    place: code.local(I32),
  }));
  /** Rows that are repeated are counted, others are addresses. */
  const repeats = widths.map((_, index) => lowered.streams[index]?.kind === 'repeat');
  const [row, block, kept] = [code.local(I32), code.local(I32), code.local(I32)];
  streams.forEach(({ base, time, stride, count }, index) => {
    [base, time, stride, count].forEach((local, word) => {
      code
        .get(parameters.table)
        .op(0x28, 2, ...unsigned(index * ENTRY + word * 4))
        .set(local);
    });
  });
  code.repeat(() => {
    streams.forEach(({ base, time, row: start }, index) => {
      code.get(parameters.from).get(time).op(0x6c);
      if (!repeats[index]) code.get(base).op(0x6a);
      code.set(start);
    });
    code.get(parameters.rows).set(row);
    code.repeat(() => {
      streams.forEach(({ base, stride, count, row: start, place }, index) => {
        if (repeats[index]) code.get(start).get(count).op(0x6e).get(stride).op(0x6c).get(base).op(0x6a);
        else code.get(start);
        code.set(place);
      });
      code.get(parameters.blocks).set(block);
      code.repeat(() => {
        code.get(parameters.tail).integer(0xffff).get(block).integer(1).op(0x46, 0x1b).set(kept);
        const lanes = { code, lowered, places: streams.map(({ place }) => place), kept };
        if (simd) emitVectorLanes(lanes);
        else emitScalarLanes(lanes);
        for (const { width, place } of streams) if (width > 0) code.increase(place, width);
        code.increase(block, -1).get(block);
      });
      streams.forEach(({ row: start, stride }, index) => {
        code.increase(start, repeats[index] ? 1 : { local: stride });
      });
      code.increase(row, -1).get(row);
    });
    code.increase(parameters.from, 1).get(parameters.from).get(parameters.to).op(0x49);
  });
  return code.module();
}
