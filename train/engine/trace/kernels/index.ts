import { arithmetic } from './arithmetic.ts';
import { elementwise } from './elementwise.ts';
import type { BodyKernel, Kernel } from './kernel.ts';
import { matrix } from './matrix.ts';
import { planes } from './plane.ts';
import { reductions } from './reduction.ts';
import { scans } from './scan.ts';
import { shaping } from './shaping.ts';

/** Every tfjs kernel that a traced step may use, by its name in tfjs. */
export const kernels: Readonly<Record<string, Kernel | BodyKernel>> = {
  ...arithmetic,
  ...elementwise,
  ...shaping,
  ...reductions,
  ...matrix,
  ...planes,
  ...scans,
};
