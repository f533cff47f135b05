import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  listCheckpoints,
  loadCheckpoint,
  readCheckpoint,
  saveCheckpoint,
} from '../schemas/checkpoint/index.ts';
import { UserError } from '../schemas/errors.ts';
import { Random } from '../schemas/random.ts';

/** Counts file operations and makes them fail: the one numbered `at`, and with `dead` all that follow. */
const disk = vi.hoisted(() => {
  const disk = { operations: 0, at: 0, dead: false, code: 'ENOSPC' };
  const error = () => Object.assign(new Error(`${disk.code}: made to fail`), { code: disk.code });
  const fails = (): boolean => {
    disk.operations++;
    return disk.at > 0 && (disk.operations === disk.at || (disk.dead && disk.operations > disk.at));
  };
  const failing = <Call extends (...args: never[]) => Promise<unknown>>(call: Call): Call =>
    (async (...args: never[]) => {
      if (fails()) throw error();
      return call(...args);
    }) as Call;
  return Object.assign(disk, { error, fails, failing });
});

vi.mock('node:fs/promises', async (importOriginal) => {
  const real = await importOriginal<typeof import('node:fs/promises')>();
  const { error, fails, failing } = disk;
  const open: typeof real.open = async (...args) => {
    const handle = await failing(real.open)(...args);
    const { sync, writeFile } = handle;
    handle.sync = failing(sync.bind(handle));
    handle.writeFile = async (data) => {
      if (!fails()) return writeFile.call(handle, data);
      await writeFile.call(handle, (data as Uint8Array).subarray(0, 5));
      throw error();
    };
    return handle;
  };
  return {
    ...real,
    open,
    mkdir: failing(real.mkdir),
    readdir: failing(real.readdir),
    lstat: failing(real.lstat),
    rename: failing(real.rename),
    rm: failing(real.rm),
  };
});

let root: string;
let run: string;
const warnings: string[] = [];
const warn = (line: string): void => {
  warnings.push(line);
};

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'bitspike-checkpoint-'));
});
beforeEach(() => {
  run = join(mkdtempSync(join(root, 'run-')), 'digits');
});
afterEach(() => {
  Object.assign(disk, { at: 0, dead: false, code: 'ENOSPC' });
  warnings.length = 0;
});
afterAll(() => {
  rmSync(root, { recursive: true });
});

/** What the checkpoint of a step holds in these tests. */
const filesOf = (step: number): Record<string, Uint8Array> => ({
  'model.json': Buffer.from(JSON.stringify({ step })),
  'posterior.safetensors': new Uint8Array(200_000).fill(step % 251),
});

const save = (step: number, options = {}): Promise<string> =>
  saveCheckpoint(run, step, filesOf(step), { warn, ...options });

const at = (step: number, file = ''): string => join(run, `checkpoint-00000${step}`, file);

/** Whether these are the bytes of that step. A plain comparison: the matchers are slow on long arrays. */
const holds = (files: Readonly<Record<string, Uint8Array>>, step: number): boolean => {
  const expected = filesOf(step);
  return (
    Object.keys(files).sort().join() === Object.keys(expected).join() &&
    Object.entries(files).every(([name, bytes]) => Buffer.compare(bytes, expected[name]!) === 0)
  );
};

/** The line of the UserError that `attempt` throws. */
async function lineOf(attempt: () => Promise<unknown>): Promise<string> {
  const error = await attempt().then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(UserError);
  return (error as UserError).message;
}

/** A run of two checkpoints, and how many operations the saving of a third takes. */
async function measure(): Promise<number> {
  for (const step of [1, 2]) await save(step);
  disk.operations = 0;
  await save(3);
  const { operations } = disk;
  rmSync(run, { recursive: true });
  return operations;
}

describe('saving', () => {
  test('makes a folder of the files and their manifest', async () => {
    const files = { 'b.bin': Uint8Array.of(1, 2, 3), 'a.txt': Buffer.from('abc') };
    expect(await saveCheckpoint(run, 7, files)).toBe(at(7));
    expect(readdirSync(run)).toEqual(['checkpoint-000007']);
    expect(readdirSync(at(7)).sort()).toEqual(['a.txt', 'b.bin', 'manifest.json']);
    expect(readFileSync(at(7, 'b.bin'))).toEqual(Buffer.of(1, 2, 3));
    // The digest of "abc" is the example of FIPS 180-2.
    expect(JSON.parse(readFileSync(at(7, 'manifest.json'), 'utf8'))).toEqual({
      format: 'bitspike checkpoint',
      version: 1,
      step: 7,
      files: {
        'a.txt': { bytes: 3, sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad' },
        'b.bin': { bytes: 3, sha256: '039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81' },
      },
    });
  });

  test('writes the same bytes for the same files, in any order', async () => {
    const [first, second] = [join(run, 'a'), join(run, 'b')];
    const one = await saveCheckpoint(first, 3, filesOf(3));
    const other = await saveCheckpoint(
      second,
      3,
      Object.fromEntries(Object.entries(filesOf(3)).toReversed()),
    );
    expect(readFileSync(join(one, 'manifest.json'))).toEqual(readFileSync(join(other, 'manifest.json')));
  });

  test('keeps the last two, or as many as asked', async () => {
    for (const step of [1, 2, 10]) await save(step);
    expect((await listCheckpoints(run)).map(({ step }) => step)).toEqual([10, 2]);
    await save(11, { keep: 3 });
    expect((await listCheckpoints(run)).map(({ step }) => step)).toEqual([11, 10, 2]);
    await save(12, { keep: 1 });
    expect(readdirSync(run)).toEqual(['checkpoint-000012']);
  });

  test('saving the same again changes nothing', async () => {
    await save(1);
    await save(1);
    expect(readdirSync(run)).toEqual(['checkpoint-000001']);
  });

  test('refuses to go back behind a sound checkpoint, or to change it', async () => {
    await save(5);
    expect(await lineOf(() => save(4))).toBe(
      `${run}: already holds checkpoint-000005, which step 4 would not continue; resume from it or save into another folder`,
    );
    expect(await lineOf(() => saveCheckpoint(run, 5, filesOf(6)))).toContain(
      'already holds checkpoint-000005',
    );
    expect(holds((await loadCheckpoint(run)).files, 5)).toBe(true);
    expect(readdirSync(run)).toEqual(['checkpoint-000005']);
  });

  test('replaces damaged ones that it comes before', async () => {
    for (const step of [1, 5, 6]) await save(step, { keep: 3 });
    truncateSync(at(5, 'model.json'), 3);
    rmSync(at(6, 'model.json'));
    await save(5);
    expect(readdirSync(run).sort()).toEqual(['checkpoint-000001', 'checkpoint-000005']);
    expect(holds((await loadCheckpoint(run, { warn })).files, 5)).toBe(true);
    expect(warnings).toEqual([]);
  });

  test('removes no folder that it did not make', async () => {
    mkdirSync(at(1), { recursive: true });
    writeFileSync(at(1, 'thesis.tex'), 'mine');
    expect(await lineOf(() => save(1))).toContain(
      'has no manifest.json, so it is not ours to remove; move it away',
    );
    await save(2);
    await save(3);
    await save(4);
    expect(warnings.at(-1)).toContain('an old checkpoint stays');
    expect(readdirSync(run).sort()).toEqual(['checkpoint-000001', 'checkpoint-000003', 'checkpoint-000004']);
    expect(readFileSync(at(1, 'thesis.tex'), 'utf8')).toBe('mine');
  });

  test('clears away what a dead writer left, not what a living one writes', async () => {
    const dead = spawn(process.execPath, ['-e', '']);
    await once(dead, 'close');
    const abandoned = [dead.pid, process.pid].map((pid) => `.checkpoint-000009.tmp-${pid}-00000000-0`);
    const living = `.checkpoint-000009.tmp-${process.ppid}-00000000-0`;
    for (const name of [...abandoned, living]) mkdirSync(join(run, name), { recursive: true });
    await save(1);
    expect(readdirSync(run).sort()).toEqual([living, 'checkpoint-000001']);
  });

  test.each([
    '',
    '.',
    '..',
    '../a',
    'a/b',
    'a\\b',
    '/a',
    'A',
    'manifest.json',
    'nul.txt',
    'a.',
    '.a',
    'a\0',
    'ä',
  ])('refuses the file name %j', async (name) => {
    expect(await lineOf(() => saveCheckpoint(run, 1, { [name]: new Uint8Array(1) }))).toContain(
      `checkpoint file ${JSON.stringify(name)}: expected a name of a-z`,
    );
    expect(existsSync(run)).toBe(false);
  });

  test('refuses steps and counts that make no sense', async () => {
    for (const step of [-1, 0.5, Number.NaN]) expect(await lineOf(() => save(step))).toContain('step is');
    for (const keep of [0, 1.5]) expect(await lineOf(() => save(1, { keep }))).toContain('keep is');
  });

  test('refuses a file in the place of the run', async () => {
    writeFileSync(run, '');
    expect(await lineOf(() => save(1))).toContain(
      `${run}: checkpoint-000001 not saved, this is no folder (ENOTDIR)`,
    );
  });
});

describe('loading', () => {
  test('gives the newest', async () => {
    await save(1);
    await save(2);
    const { step, path, files } = await loadCheckpoint(run, { warn });
    expect({ step, path, warnings }).toEqual({ step: 2, path: at(2), warnings: [] });
    expect(holds(files, 2)).toBe(true);
    expect((await readCheckpoint(at(1))).step).toBe(1);
  });

  test.each<[string, (folder: string) => void, string]>([
    [
      'a missing file',
      (folder) => rmSync(join(folder, 'model.json')),
      'model.json: damaged, the file is missing',
    ],
    [
      'a missing manifest',
      (folder) => rmSync(join(folder, 'manifest.json')),
      'manifest.json: damaged, the file is mi',
    ],
    [
      'a cut',
      (folder) => truncateSync(join(folder, 'model.json'), 4),
      'model.json: damaged, 4 bytes; 10 were saved',
    ],
    [
      'a changed byte',
      (folder) => writeFileSync(join(folder, 'model.json'), '{"step":8}'),
      'model.json: damaged, its sha256 is not the one',
    ],
    [
      'no JSON',
      (folder) => truncateSync(join(folder, 'manifest.json'), 20),
      'manifest.json: damaged, not sound JSON',
    ],
    [
      'other JSON',
      (folder) => writeFileSync(join(folder, 'manifest.json'), '{}'),
      'manifest.json: damaged, format',
    ],
    [
      'a huge manifest',
      (folder) => truncateSync(join(folder, 'manifest.json'), 2 ** 31),
      'manifest.json: damaged, 2147483648 bytes; expected at most 1048576',
    ],
    [
      'a name that leaves the folder',
      (folder) => {
        const file = join(folder, 'manifest.json');
        writeFileSync(file, readFileSync(file, 'utf8').replace('model.json', '../model.json'));
      },
      'manifest.json: damaged, files.../model.json',
    ],
    [
      'another step',
      (folder) => {
        const file = join(folder, 'manifest.json');
        writeFileSync(file, readFileSync(file, 'utf8').replace('"step": 2', '"step": 3'));
      },
      'manifest.json: damaged, step is 3; its folder says 2',
    ],
    [
      'a link',
      (folder) => {
        rmSync(join(folder, 'model.json'));
        symlinkSync(at(1, 'model.json'), join(folder, 'model.json'));
      },
      'model.json: damaged, it is not a plain file',
    ],
  ])('names %s and goes back', async (_, damage, line) => {
    await save(1);
    await save(2);
    damage(at(2));
    const { step, files } = await loadCheckpoint(run, { warn });
    expect(step).toBe(1);
    expect(holds(files, 1)).toBe(true);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(join(at(2), line));
    expect(warnings[0]).toContain('; went back to checkpoint-000001');
  });

  test('never takes damaged bytes for sound ones', async () => {
    await save(1);
    await save(2);
    const names = ['manifest.json', 'model.json', 'posterior.safetensors'];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...names),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        async (name, place, change) => {
          const sound = readFileSync(at(2, name));
          const bytes = Buffer.from(sound);
          bytes[place % bytes.length]! ^= change;
          writeFileSync(at(2, name), bytes);
          const loaded = await loadCheckpoint(run, { warn }).catch((error: unknown) => error);
          writeFileSync(at(2, name), sound);
          // Changed blanks of the manifest leave it sound; a changed version makes it one unknown here.
          const right =
            loaded instanceof UserError
              ? name === 'manifest.json' && loaded.message.includes('version is')
              : holds(
                  (loaded as { files: Record<string, Uint8Array> }).files,
                  (loaded as { step: number }).step,
                );
          expect(right).toBe(true);
        },
      ),
      { seed: 1, numRuns: 150 },
    );
  });

  test('says so where nothing is sound', async () => {
    await save(1);
    rmSync(at(1, 'model.json'));
    expect(await lineOf(() => loadCheckpoint(run, { warn }))).toBe(
      `${at(1, 'model.json')}: damaged, the file is missing; no other checkpoint of ${run} is sound; train again`,
    );
  });

  test('refuses a version that it does not know, and keeps it', async () => {
    await save(1);
    await save(2);
    const file = at(2, 'manifest.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace('"version": 1', '"version": 2'));
    const line = `${file}: version is 2; this bitspike reads version 1; use the one that saved it`;
    expect(await lineOf(() => loadCheckpoint(run))).toBe(line);
    expect(await lineOf(() => save(2))).toBe(line);
    expect(existsSync(file)).toBe(true);
  });

  test('refuses what is no run', async () => {
    expect(await lineOf(() => loadCheckpoint(run))).toBe(
      `${run}: no such folder; name the folder that training saved into`,
    );
    mkdirSync(join(run, 'checkpoint-1'), { recursive: true });
    writeFileSync(join(run, 'checkpoint-000001'), '');
    expect(await lineOf(() => loadCheckpoint(run))).toContain(
      `${run}: holds no checkpoint (no folder such as`,
    );
    expect(await lineOf(() => loadCheckpoint(at(1)))).toMatch(
      /checkpoint-000001.*: cannot be read \(ENOTDIR/,
    );
  });
});

describe('a failing disk', () => {
  test('at any one operation: nothing half-written stays', async () => {
    const operations = await measure();
    expect(operations).toBeGreaterThan(15);
    let refused = 0;
    for (let failing = 1; failing <= operations; failing++) {
      for (const step of [1, 2]) await save(step);
      Object.assign(disk, { operations: 0, at: failing });
      const outcome = await save(3).then(
        () => 'saved',
        (error: unknown) => String(error),
      );
      disk.at = 0;
      const saved = outcome === 'saved';
      if (!saved) refused++;
      expect(outcome).toMatch(/^saved$|checkpoint-000003 not saved, no space for its 20\d{4} bytes/);
      expect(saved || !readdirSync(run).some((name) => name.startsWith('.'))).toBe(true);
      const { step, files } = await loadCheckpoint(run, { warn: expect.unreachable });
      expect(holds(files, step)).toBe(true);
      expect(saved ? step === 3 : step >= 2).toBe(true);
      rmSync(run, { recursive: true });
    }
    expect(refused).toBeGreaterThan(10);
  });

  test('from any one operation on, as when power fails: the old checkpoint or the new', async () => {
    const operations = await measure();
    const seen = new Set<number>();
    for (let failing = 1; failing <= operations; failing++) {
      for (const step of [1, 2]) await save(step);
      Object.assign(disk, { operations: 0, at: failing, dead: true });
      await save(3).catch(() => undefined);
      Object.assign(disk, { at: 0, dead: false });
      const { step, files } = await loadCheckpoint(run, { warn: expect.unreachable });
      seen.add(step);
      expect(holds(files, step)).toBe(true);
      await save(3);
      expect(holds((await loadCheckpoint(run)).files, 3)).toBe(true);
      rmSync(run, { recursive: true });
    }
    expect([...seen]).toEqual([2, 3]);
  });

  test.each([
    [
      'ENOSPC',
      /not saved, no space for its 20\d{4} bytes \(ENOSPC\); free some and save again; earlier checkpoints are/,
    ],
    ['EROFS', /not saved, the folder cannot be written \(EROFS\); choose one that you may write to/],
    ['EACCES', /not saved, the folder cannot be written \(EACCES\)/],
    ['EIO', /not saved, EIO: made to fail \(EIO\); mend that and save again/],
  ])('says what %s means', async (code, line) => {
    Object.assign(disk, { operations: 0, at: 1, code });
    expect(await lineOf(() => save(1))).toMatch(line);
  });

  test('what cannot be read is not taken for damaged', async () => {
    await save(1);
    await save(2);
    Object.assign(disk, { operations: 0, at: 2, code: 'EACCES' });
    expect(await lineOf(() => loadCheckpoint(run))).toContain('manifest.json: cannot be read (EACCES');
  });
});

describe('a killed process', () => {
  const kills = 24;
  let program: string;

  beforeAll(() => {
    // Node 20 runs no TypeScript, so the writer is compiled as the package is.
    const repository = fileURLToPath(new URL('..', import.meta.url));
    const folder = mkdtempSync(join(root, 'program-'));
    symlinkSync(join(repository, 'node_modules'), join(folder, 'node_modules'), 'junction');
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    const config = {
      extends: join(repository, 'tsconfig.json'),
      compilerOptions: {
        noEmit: false,
        outDir: folder,
        rootDir: repository,
        typeRoots: [join(repository, 'node_modules/@types')],
      },
      files: [join(repository, 'schemas/checkpoint/save.ts')],
      include: [],
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
    execFileSync(process.execPath, [join(repository, 'node_modules/typescript/bin/tsc'), '-p', folder]);
    program = join(folder, 'writer.js');
    writeFileSync(
      program,
      `import { writeSync } from 'node:fs';
      import { saveCheckpoint } from './schemas/checkpoint/save.js';
      const filesOf = (step) => ({
        'model.json': Buffer.from(JSON.stringify({ step })),
        'posterior.safetensors': new Uint8Array(200_000).fill(step % 251),
      });
      const [run, first] = process.argv.slice(2);
      for (let step = Number(first); ; step++) {
        await saveCheckpoint(run, step, filesOf(step));
        writeSync(1, step + '\\n');
      }`,
    );
  });

  /** Lets a writer save from a step on and kills it within 40 ms after the first; gives the last step it reported. */
  async function saveUntilKilled(first: number, random: Random): Promise<number> {
    const writer: ChildProcess = spawn(process.execPath, [program, run, String(first)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    writer.stdout?.on('data', (text: Buffer) => {
      output += text.toString();
    });
    const closed = once(writer, 'close');
    await Promise.race([once(writer.stdout!, 'data'), closed]);
    await delay(random.nextUniform() * 40);
    writer.kill('SIGKILL');
    const [, signal] = (await closed) as [number | null, string | null];
    expect(signal).toBe('SIGKILL');
    return Number(output.trim().split('\n').at(-1));
  }

  test(`at ${kills} random instants leaves the old checkpoint or the new`, async () => {
    const random = Random.fromSeed(1);
    let last = 0;
    let halfWritten = 0;
    for (let kill = 0; kill < kills; kill++) {
      const reported = await saveUntilKilled(last + 1, random);
      const { step, files } = await loadCheckpoint(run, { warn: expect.unreachable });
      expect(holds(files, step)).toBe(true);
      // What was reported as saved is there; one more may have been saved and not yet reported.
      expect(step === reported || step === reported + 1).toBe(true);
      if (readdirSync(run).some((name) => name.startsWith('.'))) halfWritten++;
      last = step;
    }
    expect(last).toBeGreaterThanOrEqual(kills);
    expect(halfWritten).toBeGreaterThan(0);
    await save(last + 1);
    expect(readdirSync(run).filter((name) => name.startsWith('.'))).toEqual([]);
    expect(await listCheckpoints(run)).toHaveLength(2);
  });
});
