import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { load } from '../runtime/index.ts';
import { freeze, toOnnx } from '../export/index.ts';
import { defineModel, dense, readout, registerLayer } from '../schemas/index.ts';
import { layers } from '../schemas/layers/index.ts';
import { train } from '../train/index.ts';
import { randomBytes } from './support/networks.ts';

const page = readFileSync(join(import.meta.dirname, '../docs/layers.md'), 'utf8');

/** The cells of the table's rows, by the kind they begin with. */
const rows = new Map(
  page
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => {
      const [, kind = '', flow = '', , options = ''] = line.split('|').map((cell) => cell.trim());
      return [/^`(\w+)`/.exec(kind)?.[1], { flow, options }] as const;
    }),
);

describe('docs/layers.md', () => {
  test('has every kind of layer and no other', () => {
    expect([...rows.keys()].sort()).toEqual(Object.keys(layers).sort());
  });

  test.each(Object.entries(layers))('has the options and flows of %s', (kind, { layer }) => {
    const { flow, options } = rows.get(kind)!;
    expect(flow).toBe(`${layer.takes} → ${layer.gives}`);
    const named = new Set([...options.matchAll(/`(\w+)`/g)].map(([, name]) => name!));
    const known = Object.keys(layer.options.shape);
    // Besides its options, a row names only the kind of which it has the options too.
    expect([...named].filter((name) => !known.includes(name) && !Object.hasOwn(layers, name))).toEqual([]);
    expect(known.filter((name) => !named.has(name))).toEqual([]);
  });

  test.each(Object.entries(layers))('has the defaults of %s', (kind, { layer }) => {
    const { options } = rows.get(kind)!;
    const shape = layer.options.shape as Readonly<
      Record<string, (typeof layers.lif.layer.options.shape)['decay']>
    >;
    // Of the defaults that the row shows, those that are no default.
    const wrong = Object.entries(shape).filter(([name, schema]) => {
      const { success, data } = schema.safeParse(undefined);
      const shown = new RegExp(`\`${name}\` \\(([^;()]+(?:\\([^)]*\\))?)[;)]`).exec(options)?.[1];
      if (!success || data === undefined || shown === undefined || typeof data === 'object') return false;
      const exponent = /^e\^\((−1\/(\d+))\)?$/.exec(shown);
      const value = exponent ? Math.exp(-1 / Number(exponent[2])) : shown.replaceAll("'", '');
      return String(value) !== String(data);
    });
    expect(wrong.map(([name]) => name)).toEqual([]);
  });

  test('its example trains, is exported and runs', async () => {
    const code = /```ts\n([\s\S]*?)```/.exec(page)![1]!;
    const body = code
      .replace(/^import .*\n/gm, '')
      .replace('export const', 'const')
      .concat('\nreturn { echo, model };');
    const { defineLayer } = await import('../schemas/index.ts');
    const { z } = await import('zod');
    const given = { defineLayer, defineModel, dense, readout, registerLayer, z };
    const { model } = new Function(...Object.keys(given), body)(...Object.values(given)) as {
      model: ReturnType<typeof defineModel>;
    };
    const inputs = randomBytes(8 * 50 * 20, 1, 1);
    const data = {
      name: 'spikes',
      inputs,
      shape: [20],
      steps: 50,
      scale: 1,
      labels: Uint8Array.from({ length: 8 }, (_, index) => index % 4),
      count: 8,
      classes: 4,
      classNames: ['a', 'b', 'c', 'd'],
    };
    const posterior = await train(model, data, { epochs: 1, batchSize: 8, threads: 1 });
    const network = await load(toOnnx(freeze(posterior)));
    expect(await network.classify(inputs)).toHaveLength(8);
    await network.close();
  });
});
