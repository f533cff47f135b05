import { execFile, execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { GivenValue } from '../export/certificate/answers.ts';
import { seededExamples } from '../export/certificate/inputs.ts';
import { onReference } from '../export/certificate/runs.ts';
import { feedsOf, type FedTensor, subjectOf, zeroStates } from '../export/certificate/subject.ts';
import { exportedForms } from './support/exported-forms.ts';
import { freshFolder } from './support/folder.ts';

/** The first Python that has the package onnx with its reference evaluator (1.13 or later). */
const python = [process.env['BITSPIKE_PYTHON'], 'python3', '/usr/bin/python3'].find((command) => {
  if (!command) return false;
  try {
    execFileSync(command, ['-c', 'import onnx.reference'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});

const script = fileURLToPath(new URL('../bench/peers/onnx_check.py', import.meta.url));

const stored = ({ dims, data }: { dims: readonly number[]; data: Uint8Array | Float32Array }) => ({
  type: data instanceof Float32Array ? 'float32' : 'uint8',
  dims,
  data: Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64'),
});

const entries = <T, U>(record: Readonly<Record<string, T>>, change: (value: T) => U) =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));

interface Found {
  readonly name: string;
  readonly error?: string;
  readonly outputs: Readonly<Record<string, { readonly differing?: number; readonly largest?: number }>>;
}

describe.skipIf(!python)(`ONNX's own Python package (needs a Python with onnx: pip install onnx)`, () => {
  const folder = freshFolder();

  it('accepts every form that is exported, and computes the same from it', async () => {
    const forms = Object.entries(exportedForms);
    for (const [name, bytes] of forms) {
      const subject = subjectOf(bytes, name);
      const examples = seededExamples(subject.description.model, 3, 1).take(0, 3);
      const { feeds, batch } = feedsOf(subject, examples, 0, 1);
      const found = await onReference(subject)(feeds, batch);
      const inputs = { ...feeds, ...zeroStates(subject, batch) };
      const json = {
        inputs: entries(inputs, (fed: FedTensor) => stored(fed)),
        outputs: entries(found, ({ dims, data }: GivenValue) => stored({ dims, data: data as Float32Array })),
      };
      await writeFile(folder.path(`${name}.onnx`), bytes);
      await writeFile(folder.path(`${name}.observed.onnx`), subject.observed);
      await writeFile(folder.path(`${name}.json`), JSON.stringify(json));
    }
    const { stdout } = await promisify(execFile)(python!, [script, folder.path()], { maxBuffer: 2 ** 26 });
    const [head, ...results] = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Found);
    expect(results.map(({ name }) => name).sort()).toEqual(forms.map(([name]) => name).sort());
    for (const { name, error, outputs } of results) {
      expect(error, name).toBeUndefined();
      for (const [output, { differing = 0, largest = 0 }] of Object.entries(outputs)) {
        expect(differing, `${name} ${output}`).toBe(0);
        expect(largest, `${name} ${output}`).toBeLessThan(1e-5);
      }
    }
    const { version } = head as unknown as { version: string };
    console.log(`onnx ${version} accepts ${results.length} forms and computes the same from them`);
  });

  it('would say if a file were wrong', async () => {
    const [name, bytes] = Object.entries(exportedForms)[0]!;
    const text = Buffer.from(bytes).toString('latin1').replace('QuantizeLinear', 'QuantizeLinaer');
    await writeFile(folder.path('bad.onnx'), Buffer.from(text, 'latin1'));
    await writeFile(folder.path('bad.observed.onnx'), bytes);
    await writeFile(folder.path('bad.json'), '{"inputs": {}, "outputs": {}}');
    const { stdout } = await promisify(execFile)(python!, [script, folder.path()]);
    expect(JSON.parse(stdout.trimEnd().split('\n')[1]!), name).toMatchObject({
      error: expect.stringMatching(/Linaer/),
    });
  });
});
