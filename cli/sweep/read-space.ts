/** How a sweep is written: in a file, and by flags. */
import { readFile } from 'node:fs/promises';
import { InvalidArgumentError } from 'commander';
import { reasonOf, UserError } from '../../schemas/errors.ts';
import { parseJson } from '../../schemas/json.ts';
import { checkOptions } from '../../schemas/layer.ts';
import { withoutComments } from '../json-comments.ts';
import { type Space, spaceSchema } from './space.ts';

type Written = Record<string, unknown>;

function parts(text: string): [name: string, values: string] {
  const at = text.indexOf('=');
  if (at < 1 || at === text.length - 1) {
    throw new InvalidArgumentError('Expected OPTION=VALUES, such as learningRate=0.01,0.02.');
  }
  return [text.slice(0, at), text.slice(at + 1)];
}

/** JSON where it is some, such as a number or `true`, else the text itself. */
function valueOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Values between commas; those of brackets, as in `hidden=[64,64],[128]`, are not taken apart. */
function listOf(text: string): unknown[] {
  const whole = valueOf(`[${text}]`);
  return Array.isArray(whole) ? whole : text.split(',').map(valueOf);
}

/** `learningRate=0.01,0.02`; the option can be given again for more. */
export function grid(text: string, before: Written = {}): Written {
  const [name, values] = parts(text);
  return { ...before, [name]: listOf(values) };
}

/** `penaltyWeight=1e-7:1e-4:log`, `epochs=5:20:whole`, or values to draw from, `batchSize=64,128`. */
export function random(text: string, before: Written = {}): Written {
  const [name, values] = parts(text);
  const [from, to, ...flags] = values.split(':');
  if (to === undefined) return { ...before, [name]: listOf(values) };
  const stray = flags.find((flag) => !['log', 'linear', 'whole'].includes(flag));
  if (stray !== undefined) throw new InvalidArgumentError('Expected OPTION=FROM:TO[:log][:whole].');
  const scale = flags.includes('log') ? { scale: 'log' } : {};
  return {
    ...before,
    [name]: { from: Number(from), to: Number(to), ...scale, ...(flags.includes('whole') && { whole: true }) },
  };
}

/** What is to be tried: the file's, with what flags add or change. @throws UserError for what does not fit */
export async function readSpace(
  file: string | undefined,
  flags: {
    readonly grid?: Written;
    readonly random?: Written;
    readonly runs?: number;
    readonly draw?: number;
  },
): Promise<Space> {
  const given = file === undefined ? {} : await readFileOf(file);
  const { runs, draw } = flags;
  const whole = {
    ...given,
    grid: { ...(given['grid'] as Written | undefined), ...flags.grid },
    random: { ...(given['random'] as Written | undefined), ...flags.random },
    ...(runs !== undefined && { runs }),
    ...(draw !== undefined && { seed: draw }),
  };
  const { $schema: _schema, ...space } = checkOptions(spaceSchema, whole, file ?? 'sweep');
  return space;
}

async function readFileOf(path: string): Promise<Written> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new UserError(`${path}: cannot read the sweep: ${reasonOf(cause)}`, { cause });
  });
  const json = parseJson(withoutComments(text), path);
  // As it stands: defaults would hide what flags change.
  checkOptions(spaceSchema, json, path);
  return json as Written;
}
