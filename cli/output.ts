/** What the commands print. Standard output holds all they say; standard error only what went wrong. */

let quiet = false;

/** Whether from now on nothing is said but what `--json` asks for. */
export const beQuiet = (wanted: boolean): void => {
  quiet = wanted;
};

export const isQuiet = (): boolean => quiet;

export const say = (line = ''): void => {
  if (!quiet) process.stdout.write(`${line}\n`);
};

/** Characters that a message has at most: what is longer is quoted from a file that is none of ours. */
const LONGEST = 1500;

/** Characters that steer a terminal, or end a line. */
// oxlint-disable-next-line no-control-regex -- these are what is looked for
const control = /[\u0000-\u001F\u007F-\u009F\u2028\u2029]/g;

/**
 * A message in one line that a terminal shows as it is, whatever a file that it quotes holds: characters that would
 * steer the terminal are written as their codes, and the middle of what is too long is left out.
 */
export function inOneLine(message: string): string {
  const line = message
    .trim()
    .replace(/\s*\n\s*/g, ' ')
    .replace(control, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`);
  const half = LONGEST / 2;
  return line.length <= LONGEST ? line : `${line.slice(0, half)} … ${line.slice(-half)}`;
}

/** A warning: the command goes on. */
export const warn = (line: string): void => {
  process.stderr.write(`bitspike: warning: ${inOneLine(line)}\n`);
};

/** The last line of a command that was asked for JSON. */
export const sayJson = (result: object): void => {
  process.stdout.write(`${JSON.stringify(result)}\n`);
};

/** Rows in columns, the first to the left and the others to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  const align = (cell: string, column: number): string =>
    column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0);
  return rows.map((row) => row.map(align).join('   ').trimEnd()).join('\n');
}

/** Facts, one in a line, their names in a column. */
export function facts(entries: Readonly<Record<string, string>>): string {
  const width = Math.max(...Object.keys(entries).map((name) => name.length));
  return Object.entries(entries)
    .map(([name, value]) => `${name.padEnd(width)}   ${value}`)
    .join('\n');
}

/** 60000 → 60,000 */
export const grouped = (value: number): string => Math.round(value).toLocaleString('en-US');

export const percent = (part: number): string => `${(part * 100).toFixed(2)} %`;

export function bytesText(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(2)} MB`;
}

const two = (value: number): string => String(value).padStart(2, '0');

/** A time of the clock: 0:42, 1:05:00. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

export const microseconds = (seconds: number): string => `${(seconds * 1e6).toFixed(1)} µs`;

export const shapeText = (shape: readonly (number | string)[]): string => shape.join(' × ');

/** A word of a command to copy, quoted where a shell would take it apart. */
export const shellWord = (word: string): string =>
  /^[\w./:@%+,=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
