import { arithmetic } from './arithmetic.ts';
import { elementwise } from './elementwise.ts';
import type { KernelTable } from './kernel.ts';
import { matrix } from './matrix.ts';
import { reductions } from './reduction.ts';
import { shaping } from './shaping.ts';

/** Every tfjs kernel that a traced step may use, by its name in tfjs. */
export const kernels: KernelTable = { ...arithmetic, ...elementwise, ...shaping, ...reductions, ...matrix };
