import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { exportedForms } from './support/exported-forms.ts';
import { freshFolder } from './support/folder.ts';

/** Where pip put Netron: `pip install --no-deps --target FOLDER netron`. */
const netron = process.env['BITSPIKE_NETRON'] ?? '';
const script = fileURLToPath(new URL('../bench/peers/netron.mjs', import.meta.url));

interface Seen {
  readonly producer: string;
  readonly nodes: readonly {
    readonly name: string;
    readonly type: string;
    readonly nodes?: readonly string[];
  }[];
}

describe.skipIf(!existsSync(join(netron, 'netron', 'onnx.js')))(
  `Netron's reader (needs BITSPIKE_NETRON, a folder that pip installed netron into)`,
  () => {
    const folder = freshFolder();
    const { 'dense-flat': flat, ...forms } = exportedForms;

    const seen = async (bytes: Uint8Array): Promise<Seen> => {
      await folder.put('m.onnx', bytes);
      const { stdout } = await promisify(execFile)(process.execPath, [script, netron, folder.path('m.onnx')]);
      return JSON.parse(stdout) as Seen;
    };

    it.each(Object.entries(forms))(
      'shows the layers of %s as functions, by their names',
      async (_, bytes) => {
        const { producer, nodes } = await seen(bytes);
        expect(producer).toMatch(/^bitspike /);
        const layers = nodes.filter(({ nodes: inside }) => inside !== undefined);
        expect(layers.filter(({ name }) => /\d\.\w+$/.test(name)).length).toBeGreaterThan(1);
        for (const { name, type, nodes: inside } of layers) {
          expect(name).not.toBe('');
          expect(type).toMatch(/^[A-Z]/);
          expect(inside).not.toEqual([]);
        }
      },
    );

    it('shows operators where the file has no functions', async () => {
      const { nodes } = await seen(flat!);
      expect(nodes.every(({ nodes: inside }) => inside === undefined)).toBe(true);
    });
  },
);
