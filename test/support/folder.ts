import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach } from 'vitest';

/** A folder that is new for every test, removed in the end. */
export function freshFolder() {
  let root = '';
  let folder = '';
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'bitspike-data-'));
  });
  beforeEach(async () => {
    folder = await mkdtemp(join(root, 'test-'));
  });
  afterAll(async () => {
    await rm(root, { recursive: true });
  });
  const path = (name = ''): string => join(folder, name);
  return {
    path,
    async put(name: string, content: Uint8Array | string): Promise<void> {
      await mkdir(dirname(path(name)), { recursive: true });
      await writeFile(path(name), content);
    },
  };
}
