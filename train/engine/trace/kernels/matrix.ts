import { backend_util } from '@tensorflow/tfjs-core';
import { float } from '../../../../schemas/onnx/index.ts';
import { factorOf, scaled, unscaled } from '../traced.ts';
import { type KernelTable, operand } from './kernel.ts';

export const matrix: KernelTable = {
  // Two matrices: Gemm transposes as it reads. Stacks of matrices: MatMul over the leading axes.
  BatchMatMul: (recorder, operands, { transposeA, transposeB }) => {
    const factor = factorOf(operand(operands, 'a')) * factorOf(operand(operands, 'b'));
    const a = unscaled(operand(operands, 'a'));
    const b = unscaled(operand(operands, 'b'));
    const rank = a.shape.length;
    const rows = a.shape[transposeA ? rank - 1 : rank - 2] as number;
    const columns = b.shape[transposeB ? rank - 2 : rank - 1] as number;
    if (rank === 2) {
      const flags = { transA: transposeA ? 1 : 0, transB: transposeB ? 1 : 0 };
      // What the operands are scaled by ends here: the product multiplies by alpha anyway.
      const alpha = factor === 1 ? {} : { alpha: float(factor) };
      const matrices = [recorder.value(a), recorder.value(b)];
      return recorder.traced('Gemm', matrices, { ...flags, ...alpha }, [rows, columns], 'float32');
    }
    const stack = backend_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
    const order = [...Array(rank - 2).keys(), rank - 1, rank - 2];
    const turned = (x: typeof a, turn: unknown) =>
      turn ? recorder.node('Transpose', [recorder.value(x)], { perm: order }) : recorder.value(x);
    const matrices = [turned(a, transposeA), turned(b, transposeB)];
    return scaled(recorder.traced('MatMul', matrices, {}, [...stack, rows, columns], 'float32'), factor);
  },
};
