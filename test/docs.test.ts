/**
 * What README.md, docs/ and the README of every folder show is true: their programs compile against the package and
 * run, their commands are those of the command line, their files are read, their links lead somewhere.
 * How a block is run stands in comments above it (support/documents.ts).
 */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, extname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { readConfig } from '../cli/config.ts';
import { runProgram } from '../cli/program.ts';
import { readSpace } from '../cli/sweep/read-space.ts';
import { parseCertificate } from '../schemas/certificate.ts';
import { decodeManifest } from '../schemas/checkpoint/manifest.ts';
import { decodePosterior } from '../schemas/checkpoint/posterior.ts';
import { defineModel, type Posterior } from '../schemas/index.ts';
import { sizeOf } from '../schemas/layer.ts';
import { learnedShapes } from '../schemas/posterior.ts';
import { writeSafetensors } from '../schemas/safetensors.ts';
import { readHistory } from '../train/index.ts';
import {
  anchorsOf,
  type Block,
  blocksOf,
  commandsOf,
  documents,
  linksOf,
  proseOf,
  root,
  textOf,
} from './support/documents.ts';
import { writeGiven } from './support/given.ts';

const manifest = JSON.parse(textOf('package.json')) as {
  readonly name: string;
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
};

const blocks = documents().flatMap(blocksOf);
const placeOf = ({ file, line }: Block): string => `${file}:${line}`;
const ofLanguage = (...languages: readonly string[]): Block[] =>
  blocks.filter(({ language }) => languages.includes(language));
const note = (block: Block, kind: string): Block['notes'][number] | undefined =>
  block.notes.find((each) => each.kind === kind);

/** Why a block is not run, or one command of it. */
function skipOf(block: Block, command?: string): string | undefined {
  const found = block.notes.find(
    ({ kind, of }) => kind === 'skip' && (of.length === 0 || (command !== undefined && of.includes(command))),
  );
  return found && `${placeOf(block)}${command === undefined ? '' : ` ${command}`}: ${found.text}`;
}

const programs = ofLanguage('ts', 'js').map((block) => ({
  block,
  name: `${block.file.replace(/\W/g, '-')}-${block.line}.${block.language === 'ts' ? 'ts' : 'mjs'}`,
}));

/** Beside the sources, so that packages are found; its programs import `given` by its path. */
let compiled = '';
/** Where programs and commands run, and what they find there. */
let working = '';
let fresh = '';
let current: Block | undefined;
const before = process.cwd();

/** What the compiler says of the programs, while commands run. */
let compiling: Promise<string>;

async function compile(): Promise<string> {
  const compilerOptions = {
    // As projects have it that begin with `strict` alone.
    noUncheckedIndexedAccess: false,
    noUnusedLocals: false,
    lib: ['es2023', 'dom', 'esnext.disposable'],
  };
  const config = { extends: relative(compiled, join(root, 'tsconfig.json')), compilerOptions };
  await writeFile(
    join(compiled, 'tsconfig.json'),
    JSON.stringify({ ...config, include: ['*.ts'], exclude: [] }),
  );
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  return promisify(execFile)(process.execPath, [compiler, '-p', compiled]).then(
    () => '',
    ({ stdout }: { stdout: string }) => stdout,
  );
}

/** Goes where this block runs: every block finds the same files, and what its own commands wrote. */
async function enter(block: Block): Promise<void> {
  if (block === current) return;
  current = block;
  const folder = await mkdtemp(join(working, 'block-'));
  await cp(fresh, folder, { recursive: true });
  process.chdir(folder);
}

beforeAll(async () => {
  await mkdir(join(root, 'dist'), { recursive: true });
  compiled = await mkdtemp(join(root, 'dist', 'documents-'));
  working = await mkdtemp(join(tmpdir(), 'bitspike-documents-'));
  const given = relative(compiled, join(root, 'test/support/given.ts'));
  for (const { block, name } of programs) {
    const setup = note(block, 'setup')?.text.replace(/from 'given'/g, `from '${given}'`) ?? '';
    const beside = relative(compiled, join(root, dirname(block.file)));
    const code = block.code.replace(/from '\.\/(.*)\.js'/g, `from '${beside}/$1.ts'`);
    await writeFile(join(compiled, name), `${setup}\n${code}\nexport {};\n`);
  }
  compiling = compile();
  fresh = join(working, 'given');
  await writeGiven(fresh);
});

afterAll(async () => {
  process.chdir(before);
  await Promise.all([compiled, working].map((folder) => rm(folder, { recursive: true, force: true })));
  const notRun = new Set([
    ...programs.map(({ block }) => skipOf(block)),
    ...fenced.map(({ block, name }) => skipOf(block, name)),
  ]);
  for (const why of notRun) if (why !== undefined) console.log(`not run: ${why}`);
  console.log(`${ran} programs and commands of ${blocks.length} blocks ran`);
});

test('every fence has a language that is checked, and every comment says something', () => {
  const known = /^(ts|js|sh|jsonc?|text|http|indented)$/;
  expect(blocks.filter(({ language }) => !known.test(language)).map(placeOf)).toEqual([]);
  expect(blocks.length).toBeGreaterThan(40);
  const odd = blocks.flatMap((block) =>
    block.notes
      .filter(({ kind, text }) => !['setup', 'skip', 'file'].includes(kind) || text === '')
      .map(() => placeOf(block)),
  );
  expect(odd).toEqual([]);
  const stale = blocks.flatMap((block) =>
    block.notes
      .filter(({ kind }) => kind === 'skip')
      .flatMap(({ of }) => of)
      .filter((name) => !commandsOf(block.code).some((words) => nameOf(words) === name))
      .map((name) => `${placeOf(block)} has no command ${name}`),
  );
  expect(stale).toEqual([]);
});

describe('programs', () => {
  const run = programs.filter(({ block }) => skipOf(block) === undefined);
  test.each(run.map(({ block, name }) => [placeOf(block), block, name] as const))(
    '%s runs',
    async (_, block, name) => {
      await enter(block);
      const log = vi.spyOn(console, 'log').mockImplementation(() => {});
      await expect(import(join(compiled, name)).finally(() => log.mockRestore())).resolves.toBeDefined();
      ran++;
    },
  );
});

/** Runs the command line and gives its exit code with what it said of mistakes. */
async function exitOf(args: readonly string[]): Promise<string> {
  const said: string[] = [];
  const take = (text: unknown): true => said.push(String(text)) > 0 || true;
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation(() => true),
    vi.spyOn(process.stderr, 'write').mockImplementation(take),
    vi.spyOn(console, 'error').mockImplementation(take),
    vi.spyOn(console, 'log').mockImplementation(() => {}),
  ];
  const code = await runProgram(args).finally(() => {
    for (const spy of spies) spy.mockRestore();
  });
  return code === 0 ? '' : `exit code ${code}: ${said.join('').trim()}`;
}

/** The command line takes these arguments; nothing is done. */
async function takes(args: readonly string[]): Promise<string> {
  const { action } = Command.prototype;
  const stub = vi.spyOn(Command.prototype, 'action').mockImplementation(function (this: Command) {
    return action.call(this, () => {});
  });
  return exitOf(args).finally(() => stub.mockRestore());
}

/** What is not as a command of npm, Node or a shell says; empty where all is. */
function mistakeOf([program = '', ...args]: readonly string[]): string {
  const packages = new Set([
    manifest.name,
    ...Object.keys(manifest.dependencies),
    ...Object.keys(manifest.peerDependencies),
  ]);
  if (/^[A-Z_]+=/.test(program)) return mistakeOf(args);
  if (program === 'npm' && ['install', 'rebuild'].includes(args[0]!))
    return args
      .slice(1)
      .filter((name) => !packages.has(name))
      .map((name) => `no package ${name}`)
      .join();
  if (program === 'npm' && args[0] === 'test') return '';
  if (program === 'npm' && args[0] === 'run') {
    const script = args.slice(1).find((word) => !word.startsWith('-')) ?? '';
    if (!(script in manifest.scripts)) return `no script ${script}`;
    const [bench, ...rest] = script === 'bench' ? args.slice(args.indexOf('--') + 1) : [];
    return bench === undefined ? '' : benchMistake(bench, rest);
  }
  const file = program === 'node' ? args[0] : program === 'npx' && args[0] === 'vitest' ? args[2] : undefined;
  if (file !== undefined)
    return existsSync(join(root, file.replace(/^dist\/(.*)\.js$/, '$1.ts'))) ? '' : `no file ${file}`;
  return ['curl', 'tensorboard', 'pip'].includes(program) ? '' : `no program ${program}`;
}

function benchMistake(name: string, args: readonly string[]): string {
  const known = textOf('bench/main.ts');
  const summary = new RegExp(`'?${name}'?: \\{\\s*summary:\\s*'([^']*)'`).exec(known)?.[1];
  if (summary === undefined) return `no bench ${name}`;
  const flags = args.filter((word) => word.startsWith('--'));
  return flags
    .filter((flag) => !summary.includes(flag))
    .map((flag) => `no ${flag} of bench ${name}`)
    .join();
}

const isOurs = (words: readonly string[]): boolean =>
  words[0] === 'bitspike' || (words[0] === 'npx' && words[1] === 'bitspike');
const argumentsOf = (words: readonly string[]): string[] => words.slice(words[0] === 'npx' ? 2 : 1);
/** What a comment calls a command: the command of the command line, or another program. */
const nameOf = (words: readonly string[]): string =>
  (isOurs(words) ? argumentsOf(words)[0] : words.find((word) => !/^[A-Z_]+=/.test(word))) ?? '';

const commands = ofLanguage('sh', 'indented').flatMap((block) =>
  commandsOf(block.code).map((words) => ({
    block,
    words,
    name: nameOf(words),
    place: `${placeOf(block)} ${words.slice(0, 7).join(' ')}`,
  })),
);

/** Those that are to be run, unless a comment says why not. */
const fenced = commands.filter(({ block }) => block.language === 'sh');
let ran = 0;

/** Few examples and one epoch: what a command does, in the time that a test has. */
function shorter(command: string, args: readonly string[]): string[] {
  const limit = args.includes('--data') ? ['--limit', '40'] : [];
  if (command === 'train' || command === 'sweep') {
    const names = args[0] !== undefined && !args[0].startsWith('-');
    const own = names || !args.includes('--data') ? [] : ['--hidden', '8'];
    const few = command === 'sweep' ? ['--limit', '160'] : ['--limit', '40', '--batch-size', '20'];
    return [...few, '--epochs', '1', ...own, ...(args.includes('--runs') ? ['--runs', '2'] : [])];
  }
  if (command === 'export') return args.includes('--recalibrate') ? limit : [];
  if (command === 'verify') return args.includes('--devices') ? [] : ['--devices', 'cpu,bits'];
  return ['eval', 'report'].includes(command) ? limit : [];
}

describe('commands', () => {
  test.each(commands.map(({ words, place }) => [place, words] as const))('%s is taken', async (_, words) => {
    expect(isOurs(words) ? await takes(argumentsOf(words)) : mistakeOf(words)).toBe('');
  });

  const run = fenced.filter(({ block, name }) => skipOf(block, name) === undefined);
  test.each(run.map(({ block, words, place }) => [place, block, words] as const))(
    '%s runs',
    async (_, block, words) => {
      // What is no command of ours says why it is not run.
      expect(isOurs(words)).toBe(true);
      const [command = '', ...args] = argumentsOf(words);
      await enter(block);
      const out = args.indexOf('--out');
      if (command === 'train') await rm(out < 0 ? 'run' : args[out + 1]!, { recursive: true, force: true });
      expect(await exitOf([command, ...args, ...shorter(command, args)])).toBe('');
      ran++;
    },
  );
});

/** By the name of a file, what reads such files in earnest; each throws at the first thing that is wrong. */
const readers: Readonly<Record<string, (path: string, bytes: Uint8Array) => unknown>> = {
  bitspike: (path) => readConfig(path),
  space: (path) => readSpace(path, {}),
  manifest: (path, bytes) => decodeManifest(bytes, path),
  certificate: (path, bytes) => parseCertificate(bytes, path),
  async history(path) {
    // Shown over several lines, it is one.
    await writeFile(path, `${JSON.stringify(JSON.parse(await readFile(path, 'utf8')))}\n`);
    expect(await readHistory(dirname(path))).toHaveLength(1);
  },
  model(path, bytes) {
    const { model, ...family } = JSON.parse(new TextDecoder().decode(bytes)) as Posterior;
    const zeros = Object.entries(learnedShapes(defineModel(model), family)).map(([name, shape]) => [
      name,
      { dtype: 'F32', shape, data: new Float32Array(sizeOf(shape)) } as const,
    ]);
    const learned = writeSafetensors(Object.fromEntries(zeros));
    decodePosterior({ 'model.json': bytes, 'posterior.safetensors': learned }, path);
  },
};

describe('files', () => {
  test.each(ofLanguage('json', 'jsonc').map((block) => [placeOf(block), block] as const))(
    '%s is read',
    async (_, block) => {
      const name = note(block, 'file')?.text ?? 'shown.json';
      const path = join(working, 'shown', name);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, block.code);
      expect(readers).toHaveProperty(basename(name, extname(name)));
      await readers[basename(name, extname(name))]!(path, new TextEncoder().encode(`${block.code}\n`));
    },
  );
});

test('programs compile against the types of the package', async () => {
  // Errors elsewhere are for the check of the sources to tell.
  expect((await compiling).split('\n').filter((line) => /documents-\w+\//.test(line))).toEqual([]);
});

describe.each(documents())('%s', (file) => {
  test('leads somewhere with every link', () => {
    const dead = linksOf(file).filter(({ target }) => {
      if (/^(https?|mailto):/.test(target)) return false;
      const [path = '', anchor] = target.split('#');
      const found = path === '' ? file : join(dirname(file), path);
      if (!existsSync(join(root, found))) return true;
      return anchor !== undefined && !anchorsOf(found).includes(decodeURIComponent(anchor));
    });
    expect(dead).toEqual([]);
  });
});

test('README.md leads to every document, folder and package', async () => {
  const targets = new Set(linksOf('README.md').map(({ target }) => target.split('#')[0]));
  expect(documents().filter((file) => file !== 'README.md' && !targets.has(file))).toEqual([]);
  const readme = await readFile(join(root, 'README.md'), 'utf8');
  const missing = Object.keys(manifest.peerDependencies).filter((name) => !readme.includes(`\`${name}\``));
  expect(missing).toEqual([]);
});

test('docs/troubleshooting.md quotes what the sources say', () => {
  // Of a line that is put together, the parts between what differs; of a quote, those between `…`.
  const literals = ['schemas', 'train', 'export', 'runtime', 'cli']
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) =>
        join(folder, name),
      ),
    )
    .filter((name) => name.endsWith('.ts'))
    .flatMap((name) => textOf(name).match(/`[^`]*`|'[^'\n]*'|"[^"\n]*"/g) ?? []);
  const said = literals
    .flatMap((text) => text.slice(1, -1).split(/\$\{[^}]*\}|[:;,] /))
    .map((part) => part.trim());
  const parts = new Set(said.filter((part) => part.length >= 9 && part.includes(' ')));
  const all = said.join('\n');
  const isSaid = (quote: string): boolean =>
    [...parts].some((part) => quote.includes(part)) ||
    quote.split('…').some((part) => part.trim().length >= 9 && all.includes(part.trim()));
  const quotes = proseOf('docs/troubleshooting.md').flatMap(({ text }) =>
    [...(/^\| (.*?) \|/.exec(text)?.[1] ?? '').matchAll(/`([^`]+ [^`]+)`/g)].map(([, quote]) => quote!),
  );
  const commander = /^unknown (option|command) …$/;
  expect(quotes.length).toBeGreaterThan(50);
  expect(quotes.filter((quote) => !commander.test(quote) && !isSaid(quote))).toEqual([]);
});

test('flags that are spoken of exist', async () => {
  const help = await allHelp();
  // Scripts of the repository have flags of their own, and hand some on to Chromium.
  const scripts = ['bench', 'examples'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(ts|mjs)$/.test(name) && !name.includes('node_modules'))
      .map((name) => textOf(join(folder, name))),
  );
  const known = [help, ...scripts].join('\n');
  const others = /^--(ignore-scripts|logdir)$/;
  const unknown = documents().flatMap((file) =>
    proseOf(file).flatMap(({ line, text }) =>
      [...text.matchAll(/`(?:npx )?(?:bitspike [^`]*)?(--[a-z][a-z-]*)[^`]*`/g)]
        .map(([, flag]) => flag!)
        .filter((flag) => !known.includes(flag) && !others.test(flag))
        .map((flag) => `${file}:${line} ${flag}`),
    ),
  );
  expect(unknown).toEqual([]);
});

/** Help of every command, one after another. */
async function allHelp(): Promise<string> {
  const said: string[] = [];
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation((text) => said.push(String(text)) > 0);
  await runProgram(['--help']);
  const names = [...said.join('').matchAll(/^ {2}([a-z]+) /gm)].map(([, name]) => name!);
  for (const name of names) if (name !== 'help') await runProgram([name, '--help']);
  spy.mockRestore();
  return said.join('');
}
