import { backend_util } from '@tensorflow/tfjs-core';
import { type KernelTable, operand } from './kernel.ts';

export const matrix: KernelTable = {
  // Two matrices: Gemm transposes as it reads. Stacks of matrices: MatMul over the leading axes.
  BatchMatMul: (recorder, operands, { transposeA, transposeB }) => {
    const a = operand(operands, 'a');
    const b = operand(operands, 'b');
    const rank = a.shape.length;
    const rows = a.shape[transposeA ? rank - 1 : rank - 2] as number;
    const columns = b.shape[transposeB ? rank - 2 : rank - 1] as number;
    if (rank === 2) {
      const flags = { transA: transposeA ? 1 : 0, transB: transposeB ? 1 : 0 };
      return recorder.traced(
        'Gemm',
        [recorder.value(a), recorder.value(b)],
        flags,
        [rows, columns],
        'float32',
      );
    }
    const stack = backend_util.assertAndGetBroadcastShape(
      [...a.shape.slice(0, -2)],
      [...b.shape.slice(0, -2)],
    );
    const order = [...Array(rank - 2).keys(), rank - 1, rank - 2];
    const turned = (x: typeof a, turn: unknown) =>
      turn ? recorder.node('Transpose', [recorder.value(x)], { perm: order }) : recorder.value(x);
    return recorder.traced(
      'MatMul',
      [turned(a, transposeA), turned(b, transposeB)],
      {},
      [...stack, rows, columns],
      'float32',
    );
  },
};
