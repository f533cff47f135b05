import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

const path = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url));

let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bitspike-examples-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the examples', () => {
  it('train, freeze, export and run digits, and run them again with plain onnxruntime', async () => {
    const before = process.cwd();
    const said = vi.spyOn(console, 'log').mockImplementation(() => {});
    process.chdir(folder);
    try {
      await import('../examples/digits.ts');
    } finally {
      process.chdir(before);
    }
    const [[first], [answer]] = said.mock.calls as [[string], [{ label: number }]];
    said.mockRestore();
    const right = Number(/^(\d+) of 10000 digits are right$/.exec(first)?.[1]);
    expect(right).toBeGreaterThan(9000);
    expect(answer.label).toBe(7);

    const script = path('examples/plain-onnxruntime.mjs');
    const { stdout } = await promisify(execFile)('node', [script, join(folder, 'digits.onnx')]);
    expect(stdout).toMatch(/^it is a 1 \[/);
  });

  it('are what the README shows', async () => {
    const readme = await readFile(path('README.md'), 'utf8');
    const [, ...code] = (await readFile(path('examples/digits.ts'), 'utf8')).split('\n');
    expect(readme).toContain(`\`\`\`ts\n${code.join('\n')}\`\`\``);
    expect(readme).toContain(
      `\`\`\`js\n${await readFile(path('examples/plain-onnxruntime.mjs'), 'utf8')}\`\`\``,
    );
  });
});
