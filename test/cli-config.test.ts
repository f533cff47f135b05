import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { configName, readConfig } from '../cli/config.ts';
import { configJsonSchema, schemaPath, schemaText } from '../cli/config-schema.ts';
import { withoutComments } from '../cli/json-comments.ts';
import { runProgram } from '../cli/program.ts';
import { loadTraining, recipes, trainingOptionsSchema, writtenRecipe } from '../train/index.ts';
import { writeImages } from './support/cli.ts';
import { lineOf } from './support/error-line.ts';

const root = dirname(import.meta.dirname);
const base = mkdtempSync(join(tmpdir(), 'bitspike-config-'));
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(base, 'test-'));
  vi.spyOn(process, 'cwd').mockReturnValue(folder);
});
afterEach(() => {
  vi.restoreAllMocks();
});
afterAll(() => {
  rmSync(base, { recursive: true });
});

const at = (...path: string[]): string => join(folder, ...path);
const put = (name: string, text: string): string => {
  writeFileSync(at(name), text);
  return at(name);
};

/** Runs the command line here: its exit code, and what it said. */
async function run(...args: string[]): Promise<{ code: number; out: string; error: string }> {
  let [out, error] = ['', ''];
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text);
    return true;
  });
  const wrong = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    error += String(text);
    return true;
  });
  const console_ = vi.spyOn(console, 'error').mockImplementation((text) => {
    error += `${String(text)}\n`;
  });
  const code = await runProgram(args);
  for (const mock of [write, wrong, console_]) mock.mockRestore();
  return { code, out, error };
}

describe('comments in JSON', () => {
  test('are taken out, and all else stays where it was', () => {
    const text =
      '{ // "a": 1,\n "b": "// no comment /* none */", /* "c":\n 2, */ "d": [1, 2, ], "e": "\\"//",\n}';
    const plain = withoutComments(text);
    expect(JSON.parse(plain)).toEqual({ b: '// no comment /* none */', d: [1, 2], e: '"//' });
    expect(plain).toHaveLength(text.length);
    expect(plain.split('\n').map((line) => line.length)).toEqual(text.split('\n').map((line) => line.length));
  });

  test('sound JSON stays as it is', () => {
    for (const value of [{ a: 'x,]', b: ['}', ',}'], c: 'http://a/*b' }, [1, [2, [3]]], '\\', '"//"']) {
      const text = JSON.stringify(value, null, 1);
      expect(withoutComments(text)).toBe(text);
    }
  });
});

describe('bitspike.json', () => {
  test('is read, with options as they stand there', async () => {
    const path = put('a.json', '{ "data": "mnist", "training": { "epochs": 3 }, "keepBest": true }');
    expect(await readConfig(path)).toEqual({ data: 'mnist', training: { epochs: 3 }, keepBest: true });
  });

  test('a network in it, or in a file beside it', async () => {
    const network = { input: [4], layers: [{ kind: 'dense', units: 2 }, { kind: 'readout' }] };
    put('network.json', JSON.stringify(network));
    const named = await readConfig(put('b.json', '{ "model": "network.json" }'));
    const whole = await readConfig(put('c.json', JSON.stringify({ model: network })));
    expect(named).toEqual(whole);
    expect(named.model!.layers).toHaveLength(2);
  });

  test.each([
    ['{ "dat": "mnist" }', "unknown option 'dat' (did you mean data?) (known: $schema, recipe, data"],
    [
      '{ "training": { "epoch": 3 } }',
      "unknown option 'epoch' (did you mean epochs?) in training (known: epochs,",
    ],
    [
      '{ "training": { "earlyStopping": { "patience": 2, "minimumdelta": 1 } } }',
      "unknown option 'minimumdelta' (did you mean minimumDelta?) in training.earlyStopping",
    ],
    ['{ "training": { "epochs": 0 } }', 'training.epochs: Too small'],
    ['{ "keep": 0 }', 'keep: Too small'],
    ['{ "data" "mnist" }', 'is not sound JSON'],
    [
      '{ "model": { "input": [4], "layers": [{ "kind": "dens", "units": 2 }] } }',
      'unknown kind "dens" (did you mean dense?); expected one of',
    ],
    ['{ "recipe": "digits", "hidden": [3] }', 'hidden is for a training without model and recipe'],
  ])('%s is refused', async (text, line) => {
    const path = put('wrong.json', text);
    const said = await lineOf(() => readConfig(path));
    expect(said).toContain(line);
    expect(said).toMatch(/^.*wrong\.json: /);
  });
});

describe('the JSON Schema', () => {
  test('in the package is that of the sources', () => {
    const path = join(root, 'schemas', 'generated', 'bitspike.schema.json');
    expect(readFileSync(path, 'utf8'), 'npm run generate:schema').toBe(schemaText());
    expect(schemaPath).toMatch(/dist\/schemas\/generated\/bitspike\.schema\.json$/);
    expect(readFileSync(join(root, 'build', 'copy-generated.mjs'), 'utf8')).toContain('json');
  });

  test('takes every recipe, and says what every option means', () => {
    const schema = z.fromJSONSchema(configJsonSchema() as Parameters<typeof z.fromJSONSchema>[0]);
    for (const recipe of Object.values(recipes)) {
      const { model, options } = writtenRecipe(recipe);
      const found = schema.safeParse({ data: 'mnist', model, training: options });
      expect(found.error?.issues, recipe.name).toBeUndefined();
    }
    expect(schema.safeParse({ dat: 'mnist' }).success).toBe(false);
    expect(schema.safeParse({ training: { epochs: 'three' } }).success).toBe(false);
    expect(schema.safeParse({ model: { input: [3], layers: [{ kind: 'lstm' }] } }).success).toBe(false);
    const { properties } = configJsonSchema() as {
      properties: { training: { properties: Record<string, { description?: string }> } };
    };
    const described = properties.training.properties;
    expect(Object.keys(described).sort()).toEqual(Object.keys(trainingOptionsSchema.shape).sort());
    for (const { description } of Object.values(described)) expect(description).toMatch(/\w/);
  });
});

/** Images for small trainings, written when first asked for. */
const data = (): string => {
  if (!existsSync(join(base, 'images'))) writeImages(join(base, 'images'), { train: 120, t10k: 20 });
  return `idx:${join(base, 'images')}`;
};

describe('the commands', () => {
  test('init writes a file that reads as a training, and writes over none', async () => {
    mkdirSync(at('here'));
    const path = at('here', configName);
    const { code, out } = await run('init', path, '--recipe', 'shd-small', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out.trim().split('\n').at(-1)!)).toMatchObject({ file: path, recipe: 'shd-small' });
    const config = await readConfig(path);
    expect(config).toMatchObject({ recipe: 'shd-small', out: 'run', keepBest: true });
    const { training } = recipes['shd-small']!;
    expect(config.training).toEqual({ seed: 1, validation: 0.1, ...training });
    const text = readFileSync(path, 'utf8');
    const again = await run('init', path);
    expect(again.code).toBe(1);
    expect(again.error).toContain('is there already');
    expect(readFileSync(path, 'utf8')).toBe(text);
    expect((await run('init', at('x.json'), '--recipe', 'digit')).error).toContain('did you mean digits?');
  });

  test('train reads it, and every flag wins', async () => {
    const path = put(
      'small.json',
      JSON.stringify({
        data: data(),
        out: at('from file'),
        hidden: [6],
        threads: 1,
        training: { epochs: 2, batchSize: 40, seed: 7 },
        keep: 1,
      }),
    );
    const first = await run('train', path, '--json');
    expect(first).toMatchObject({ code: 0, error: '' });
    expect(first.out).toContain(`config             ${path}`);
    expect((await loadTraining(at('from file'))).options).toMatchObject({
      epochs: 2,
      batchSize: 40,
      seed: 7,
    });
    const result = JSON.parse(first.out.trim().split('\n').at(-1)!) as Record<string, unknown>;
    expect(result).toMatchObject({ step: 6, weights: 64 * 6 + 60, otherParameters: expect.any(Number) });
    expect(result['memoryBytes']).toMatchObject({ examples: 120 * 65 });

    const second = await run(
      'train',
      path,
      '--out',
      at('other'),
      '--seed',
      '8',
      '--hidden',
      '5',
      '--epochs',
      '1',
    );
    expect(second).toMatchObject({ code: 0 });
    const { options, model, state } = await loadTraining(at('other'));
    expect(options).toMatchObject({ epochs: 1, batchSize: 40, seed: 8 });
    expect(model.layers[0]).toMatchObject({ units: 5 });
    expect(state.step).toBe(3);
  });

  test('train says what it is about to do, and quietly nothing', async () => {
    const flags = [
      '--data',
      data(),
      '--hidden',
      '6',
      '--epochs',
      '1',
      '--batch-size',
      '40',
      '--threads',
      '1',
    ];
    const { out } = await run('train', ...flags, '--out', at('a'));
    for (const line of [
      /^network +64 → 6 → 10, 444 binary weights$/m,
      /^other parameters +32$/m,
      /^training +1 epochs of 3 steps, 40 examples each, seed 1$/m,
      /^memory +about \d.*B beside the program: examples 7\.8 kB, parameters /m,
      /^checkpoints +.*, at the end of every epoch; the last 2 kept$/m,
    ])
      expect(out).toMatch(line);
    expect(await run('train', ...flags, '--out', at('b'), '--quiet')).toEqual({
      code: 0,
      out: '',
      error: '',
    });
  });

  test.each([
    [['trian'], "unknown command 'trian' (Did you mean train?)"],
    [['train', '--epoch', '3'], "unknown option '--epoch' (Did you mean --epochs?)"],
    [['train', '--out', 'x'], "required option '--data <kind>' not specified"],
  ])('%j is wrong usage', async (args, line) => {
    const { code, error } = await run(...args);
    expect(code).toBe(2);
    expect(error).toContain(line);
  });

  test('a recipe or file that is not there', async () => {
    expect((await run('train', 'digitz')).error).toContain(
      "no recipe is called 'digitz'; did you mean digits?",
    );
    expect((await run('train', at('no.json'))).error).toContain('no.json: cannot read the configuration');
  });

  test('the help fits a screen of 24 lines and 80 columns', async () => {
    const { code, out } = await run('--help');
    expect(code).toBe(0);
    const lines = out.trimEnd().split('\n');
    expect(lines.length).toBeLessThanOrEqual(24);
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
    for (const name of ['init', 'train', 'sweep', 'report', 'export', 'eval'])
      expect(out).toContain(`\n  ${name} `);
  });
});
