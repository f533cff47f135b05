/** One hostile input: made from a seed and a number alone, run, and judged. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import fc from 'fast-check';
import { encodeManifest } from '../../schemas/checkpoint/manifest.ts';
import { Random } from '../../schemas/random.ts';
import type { Change } from './changes.ts';
import { type Kind, kinds } from './kinds.ts';
import { type Ended, faultOf, leftoversIn, listingOf } from './run-here.ts';

/** One input for one command. */
export interface Case {
  readonly number: number;
  readonly kind: string;
  readonly args: readonly string[];
}

/** What came of it; a fault is what must not be. */
export interface Judged extends Case {
  readonly code: number | null;
  readonly seconds: number;
  readonly line: string;
  readonly fault?: string;
}

export type Run = (args: readonly string[]) => Promise<Ended>;

/** The case of a number: kinds and their commands take turns. */
function drawn(
  seed: number,
  number: number,
): { kind: Kind; command: string; change: Change; mends: boolean } {
  const kind = kinds[number % kinds.length] as Kind;
  const turn = Math.floor(number / kinds.length);
  const random = Random.fromSeed(seed, `hostile ${number}`);
  const [change] = fc.sample(kind.change, { seed: random.nextBelow(2 ** 31), numRuns: 1 });
  return {
    kind,
    command: kind.commands[turn % kind.commands.length] as string,
    change: change as Change,
    mends: random.nextUniform() < 0.8,
  };
}

/** The command and the kind of a case, without running it. */
export const caseOf = (seed: number, number: number, folder: string): Case => {
  const { kind, command } = drawn(seed, number);
  return { number, kind: kind.name, args: argsOf(command, folder) };
};

const argsOf = (command: string, folder: string): string[] =>
  command.split(' ').map((word) => word.replaceAll('@', folder));

/** Where a kind's file lies. The data beside an .onnx are called after their own content. */
function pathOf({ file }: Kind, folder: string): string {
  const path = file.replace('@', folder);
  if (basename(path) !== 'DATA') return path;
  const name = readdirSync(dirname(path)).find((each) => each.endsWith('.data')) ?? 'none';
  return join(dirname(path), name);
}

/**
 * Spoils a file as the seed and the number say, runs the command on it, and puts the file back.
 *
 * @param folder what `makeFixtures` made
 */
export async function runCase(seed: number, number: number, folder: string, run: Run): Promise<Judged> {
  const { kind, command, change, mends } = drawn(seed, number);
  const out = join(folder, 'out');
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out);
  for (const name of kind.copies ?? [])
    cpSync(join(folder, 'in', name), join(out, name), { recursive: true });
  const path = pathOf(kind, folder);
  const sound = existsSync(path) ? readFileSync(path) : undefined;
  const args = argsOf(command, folder);
  try {
    writeFileSync(path, change(new Uint8Array(sound ?? [])));
    if (kind.checkpoint !== undefined && mends) mend(kind.checkpoint.replace('@', folder));
    const before = listingOf(folder, out);
    const ended = await run(args);
    const fault = faultOf(ended) ?? strayIn(folder, out, before, ended.code);
    const line = ended.stderr.trim().slice(0, 1000);
    const { code, seconds } = ended;
    return { number, kind: kind.name, args, code, seconds, line, ...(fault !== undefined && { fault }) };
  } finally {
    if (sound) writeFileSync(path, sound);
    else rmSync(path, { force: true });
  }
}

/** What a command wrote where it should not, or left half written. */
function strayIn(folder: string, out: string, before: string, code: number | null): string | undefined {
  const after = listingOf(folder, out);
  if (after !== before) {
    const known = new Set(before.split('\n'));
    const changed = after.split('\n').find((line) => !known.has(line)) ?? 'a file is gone';
    return `wrote outside of its folder: ${changed}`;
  }
  // A lock that was put there may stay; the commands' own go.
  const left = leftoversIn(out).filter((name) => !name.endsWith('training.lock'));
  return left.length > 0 ? `ended with ${code} and left ${left.join(', ')}` : undefined;
}

/** Makes the checksums of a checkpoint fit what is in it. */
function mend(checkpoint: string): void {
  const manifest = join(checkpoint, 'manifest.json');
  const { step } = JSON.parse(readFileSync(manifest, 'utf8')) as { step: number };
  const names = readdirSync(checkpoint).filter((name) => name !== 'manifest.json');
  const files = Object.fromEntries(names.map((name) => [name, readFileSync(join(checkpoint, name))]));
  writeFileSync(manifest, encodeManifest(step, files));
}
