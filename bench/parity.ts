/** The same bits on every device: seeded inputs through one network of each kind. */
import { parseArgs } from 'node:util';
import { compareOutputs, type LoadOptions, load, type Output } from '../runtime/index.ts';
import { startChromium } from './browser/chromium.ts';
import { type Lab, openLab, runInPage } from './browser/lab.ts';
import type { Findings, Row } from './harness.ts';
import { parityInputs, parityModels, parityNetwork } from './parity/networks.ts';

interface Case {
  readonly name: string;
  readonly onnx: Uint8Array;
  readonly inputs: Uint8Array;
}

interface Device {
  readonly name: string;
  run(given: Case): Promise<Record<string, Output>>;
}

export async function run(args: string[]): Promise<Findings> {
  const { values } = parseArgs({
    args,
    options: { inputs: { type: 'string', default: '1000' }, seed: { type: 'string', default: '1' } },
  });
  const [count, seed] = [Number(values.inputs), Number(values.seed)];
  const cases = Object.entries(parityModels).map(([name, model]) => ({
    name,
    onnx: parityNetwork(model, seed),
    inputs: parityInputs(model, count, seed),
  }));
  const started = await startChromium();
  const notes = 'missing' in started ? [started.missing] : [];
  const lab = 'browser' in started ? await labOf(started.browser, cases) : undefined;
  const devices = [
    inNode({ device: 'cpu' }),
    inNode({ device: 'wasm' }),
    inNode({ device: 'bits' }),
    ...(lab ? inChromium(lab) : []),
  ];
  try {
    const lines = [
      ['network', 'device', 'layers that differ', 'numbers compared', 'logits', 'probabilities'],
    ];
    const rows: Row[] = [];
    for (const given of cases) {
      const found = await compare(given, devices);
      lines.push(...found.lines);
      rows.push(...found.rows);
    }
    return { rows, notes: [`${count} inputs each, seed ${seed}`, ...notes], table: tableOf(lines) };
  } finally {
    await lab?.close();
    if ('browser' in started) await started.browser.close();
  }
}

const labOf = (browser: Parameters<typeof openLab>[0], cases: readonly Case[]): Promise<Lab> =>
  openLab(
    browser,
    process.cwd(),
    Object.fromEntries(cases.map(({ name, onnx }) => [`/${name}.onnx`, onnx])),
    {
      isolated: true,
    },
  );

const inNode = (options: LoadOptions): Device => ({
  name: `Node ${options.device}`,
  run: async ({ onnx, inputs }) => {
    const described = await load(onnx, options);
    const observe = described.description.layers.flat();
    await described.close();
    const network = await load(onnx, { ...options, observe });
    const outputs = await network.run(inputs);
    await network.close();
    return outputs;
  },
});

const inChromium = (lab: Lab): Device[] =>
  [
    { device: 'wasm', threads: 1 } as const,
    { device: 'wasm', threads: 2 } as const,
    { device: 'bits' } as const,
    { device: 'webgpu' } as const,
  ].map((options) => ({
    name: nameOf(options),
    run: async ({ name, inputs }) => {
      const page = await lab.open();
      const { outputs } = await runInPage(page, `/${name}.onnx`, inputs, options);
      await page.close();
      return outputs;
    },
  }));

const nameOf = ({ device, threads }: LoadOptions): string => {
  const detail = device === 'webgpu' ? ' (software)' : '';
  return `Chromium ${device}${threads === undefined ? detail : `, threads ${threads}`}`;
};

/** The first device is what the others are held against: numbers of layers that differ, of those compared. */
async function compare(
  given: Case,
  [first, ...others]: readonly Device[],
): Promise<{ readonly lines: string[][]; readonly rows: Row[] }> {
  const expected = await (first as Device).run(given);
  const { logits: _logits, probabilities: _probabilities, ...layers } = expected;
  const numbers = Object.values(layers).reduce((sum, { data }) => sum + data.length, 0);
  const lines: string[][] = [];
  const rows: Row[] = [];
  for (const { name, run } of others) {
    const differences = new Map(
      compareOutputs(expected, await run(given)).map((found) => [found.output, found]),
    );
    const largest = (output: string) => {
      const found = differences.get(output);
      return found ? `${found.largest.toExponential(1)} in ${found.differing} of ${found.of}` : 'same bits';
    };
    const differing = Object.keys(layers).filter((layer) => differences.has(layer));
    const layerText = `${differing.length} of ${Object.keys(layers).length}`;
    const count = differing.reduce((sum, layer) => sum + (differences.get(layer)?.differing ?? 0), 0);
    rows.push({ name: given.name, peer: name, ours: count, theirs: numbers, unit: 'numbers', ratio: null });
    lines.push([given.name, name, layerText, String(numbers), largest('logits'), largest('probabilities')]);
  }
  return { lines, rows };
}

function tableOf(lines: readonly (readonly string[])[]): string {
  const widths = (lines[0] ?? []).map((_, column) =>
    Math.max(...lines.map((line) => (line[column] as string).length)),
  );
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] as number))
        .join('   ')
        .trimEnd(),
    )
    .join('\n');
}
