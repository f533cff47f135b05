import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Peer } from './peer.ts';

const run = promisify(execFile);

/** The first Python that imports a module: `$BITSPIKE_PYTHON`, the one in the path, the system's. */
const findPython = async (module: string): Promise<string | undefined> => {
  for (const python of [process.env.BITSPIKE_PYTHON, 'python3', '/usr/bin/python3']) {
    if (!python) continue;
    try {
      await run(python, ['-c', `import ${module}`]);
      return python;
    } catch {
      // Not there, or without the module: the next one may do.
    }
  }
  return undefined;
};

/** The compiled benches run from dist/, the Python files stay among the sources. */
const sourcePath = (path: string): string => {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return join(folder, path);
};

/** What may linger in a shell and would hold the processor's best kernels back; unset, OpenBLAS asks the processor. */
const unset = { OPENBLAS_CORETYPE: undefined, OPENBLAS_L2_SIZE: undefined };

/** Large temporaries come from the heap again and again instead of from fresh pages that fault one by one. */
const keepPages = {
  MALLOC_MMAP_THRESHOLD_: '1000000000',
  MALLOC_TRIM_THRESHOLD_: '2000000000',
};

/** Starts a Python peer as a knowledgeable user would for speed; undefined when no Python has the module. */
export const startPython = async (
  script: string,
  options: { module: string; threads: number },
): Promise<Peer | undefined> => {
  const python = await findPython(options.module);
  if (python === undefined) return undefined;
  const threads = String(options.threads);
  return new Peer(python, {
    arguments: [sourcePath(script)],
    environment: {
      ...keepPages,
      ...unset,
      OMP_NUM_THREADS: threads,
      MKL_NUM_THREADS: threads,
      OPENBLAS_NUM_THREADS: threads,
    },
  });
};
