import { arithmetic } from './arithmetic.ts';
import { convolutions } from './convolution.ts';
import { elementwise } from './elementwise.ts';
import type { BodyKernel, Kernel } from './kernel.ts';
import { matrix } from './matrix.ts';
import { pools } from './pool.ts';
import { reductions } from './reduction.ts';
import { scans } from './scan.ts';
import { segments } from './segments.ts';
import { stacks } from './stack.ts';
import { shaping } from './shaping.ts';

/** Every tfjs kernel that a traced step may use, by its name in tfjs. */
export const kernels: Readonly<Record<string, Kernel | BodyKernel>> = {
  ...arithmetic,
  ...elementwise,
  ...shaping,
  ...reductions,
  ...matrix,
  ...convolutions,
  ...pools,
  ...scans,
  ...segments,
  ...stacks,
};
