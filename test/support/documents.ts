/**
 * Takes documents apart: their fenced blocks, commands that stand indented, links and headings.
 *
 * What a reader does not see says how a block is run, in comments directly above it:
 *
 *     <!-- setup: import { posterior } from 'given'; -->    code that goes before a block of TypeScript
 *     <!-- file: bitspike.json -->                          what a block of JSON is
 *     <!-- skip: why -->                                    the block is checked, not run
 *     <!-- skip train, serve: why -->                       the same for some commands of a block
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export const root = dirname(dirname(import.meta.dirname));

/** A block of code as a document shows it. */
export interface Block {
  /** Path from the root of the repository. */
  readonly file: string;
  /** Of the line that opens it. */
  readonly line: number;
  /** `indented` for commands that stand between other lines without a fence. */
  readonly language: string;
  readonly code: string;
  /** What comments above it say, by their first word. */
  readonly notes: readonly Note[];
}

export interface Note {
  readonly kind: string;
  /** What stands between the first word and the colon. */
  readonly of: readonly string[];
  readonly text: string;
}

/** README.md, all of docs, and the README of every folder. */
export const documents = (): string[] => [
  'README.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
  ...readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !/^(\.|node_modules|dist)/.test(entry.name))
    .map(({ name }) => `${name}/README.md`)
    .filter((path) => readdirSync(join(root, dirname(path))).includes('README.md')),
];

export const textOf = (file: string): string => readFileSync(join(root, file), 'utf8');

const fence = /^(`{3,}|~{3,})(\S*)\s*$/;
const program = /^ {4}(?=(?:npx |npm |node |bitspike |curl |[A-Z_]+=\S+ npm ))/;

/** @throws Error where a block is never closed, or a fence stands inside of another */
export function blocksOf(file: string): Block[] {
  const lines = textOf(file).split('\n');
  const blocks: Block[] = [];
  let notes: Note[] = [];
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!;
    if (line.startsWith('<!--')) {
      const end = lines.findIndex((each, index) => index >= at && each.includes('-->'));
      const text = lines.slice(at, end + 1).join('\n');
      const [, kind = '', of = '', rest = ''] = /^<!--\s*(\w+)([^:\n]*):([\s\S]*?)-->/.exec(text) ?? [];
      notes.push({ kind, of: of.split(/[\s,]+/).filter(Boolean), text: rest.trim() });
      at = end;
      continue;
    }
    const opened = fence.exec(line);
    if (opened) {
      const close = lines.findIndex((each, index) => index > at && each.startsWith(opened[1]!));
      const code = lines.slice(at + 1, close);
      const stray = code.findIndex((each) => fence.test(each));
      if (close < 0) throw new Error(`${file}:${at + 1}: the block is never closed`);
      if (stray >= 0)
        throw new Error(`${file}:${at + 2 + stray}: a fence in a block that begins in line ${at + 1}`);
      blocks.push({ file, line: at + 1, language: opened[2]!, code: code.join('\n'), notes });
      at = close;
    } else if (program.test(line)) {
      let end = at;
      while (lines[end + 1]?.startsWith('    ')) end++;
      const code = lines.slice(at, end + 1).map((each) => each.slice(4));
      blocks.push({ file, line: at + 1, language: 'indented', code: code.join('\n'), notes });
      at = end;
    }
    if (line.trim() !== '') notes = [];
  }
  return blocks;
}

/** Where a document points, in links and images of Markdown. */
export function linksOf(file: string): { readonly line: number; readonly target: string }[] {
  return proseOf(file).flatMap(({ line, text }) =>
    [...text.matchAll(/\]\(<?([^)\s>]+)>?\)/g)].map(([, target]) => ({ line, target: target! })),
  );
}

/** The lines that are no code. */
export function proseOf(file: string): { readonly line: number; readonly text: string }[] {
  let closing: string | undefined;
  return textOf(file)
    .split('\n')
    .flatMap((text, index) => {
      const found = fence.exec(text);
      if (found) closing = closing === undefined ? found[1]! : text.startsWith(closing) ? undefined : closing;
      return found || closing !== undefined || text.startsWith('    ') ? [] : [{ line: index + 1, text }];
    });
}

/** What can be pointed at in a document: its headings, written as GitHub does. */
export const anchorsOf = (file: string): string[] =>
  proseOf(file)
    .filter(({ text }) => /^#{1,6} /.test(text))
    .map(({ text }) =>
      text
        .replace(/^#+ /, '')
        .trim()
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\p{M}\s_-]/gu, '')
        .replace(/\s/g, '-'),
    );

/** The commands of a shell block, each as its words; comments and redirections are left out. */
export function commandsOf(code: string): string[][] {
  const commands: string[][] = [];
  let words: string[] = [];
  const end = (): void => {
    if (words.length > 0) commands.push(words);
    words = [];
  };
  const token = /\\\n|[ \t]+|(\n|&&|;)|(#[^\n]*)|>\s*(\S+)|((?:[^\s'"\\>;&]|'[^']*'|"[^"]*"|\\.)+)/gy;
  let wasBlank = true;
  for (let at = 0; at < code.length; at = token.lastIndex) {
    token.lastIndex = at;
    const found = token.exec(code);
    if (!found) throw new Error(`cannot be taken apart at: ${code.slice(at, at + 30)}`);
    const [, separator, comment, target, word] = found;
    if (separator) end();
    if (comment && !wasBlank) throw new Error(`a comment without a blank before it: ${comment}`);
    if (word) words.push(word.replace(/'([^']*)'|"([^"]*)"|\\(.)/g, '$1$2$3'));
    wasBlank = word === undefined && target === undefined;
  }
  end();
  return commands;
}
