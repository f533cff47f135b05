import type { EnsembleAnswer } from 'bitspike/runtime';
import { element } from './element.ts';

interface Row {
  readonly row: HTMLTableRowElement;
  readonly bar: SVGRectElement;
  readonly members: readonly SVGRectElement[];
  readonly text: HTMLTableCellElement;
}

const svg = <Name extends keyof SVGElementTagNameMap>(
  name: Name,
  attributes: Readonly<Record<string, string | number>>,
): SVGElementTagNameMap[Name] => {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
};

/** A row of the table: one digit, the mean of the networks as a bar, each of them as a mark. */
function rowOf(name: string, members: number): Row {
  const row = document.createElement('tr');
  const head = Object.assign(document.createElement('th'), { scope: 'row', textContent: name });
  const text = document.createElement('td');
  const drawing = svg('svg', { viewBox: '0 0 100 14', preserveAspectRatio: 'none', 'aria-hidden': 'true' });
  const bar = svg('rect', { class: 'bar', y: 4, height: 6, width: 0 });
  const marks = Array.from({ length: members }, () =>
    svg('rect', { class: 'member', y: 1, width: 0.4, height: 12 }),
  );
  drawing.append(svg('rect', { class: 'track', y: 6.5, width: 100, height: 1 }), bar, ...marks);
  const middle = document.createElement('td');
  middle.append(drawing);
  row.append(head, middle, text);
  return { row, bar, members: marks, text };
}

const percent = (part: number): string =>
  `${(100 * part).toFixed(part > 0.995 || part < 0.005 ? 0 : 1)}\u00a0%`;

/** What the networks say of the drawing. */
export class AnswerView {
  readonly #rows: readonly Row[];
  readonly #doubt: number;
  readonly #verdict = element('verdict', HTMLElement);
  readonly #sentence = element('sentence', HTMLElement);
  readonly #detail = element('detail', HTMLElement);
  readonly #table = element('classes', HTMLTableElement);

  /** @param doubt entropy in nats above which the answer is that they do not know */
  constructor(classes: readonly string[], members: number, doubt: number) {
    this.#doubt = doubt;
    this.#rows = classes.map((name) => rowOf(name, members));
    this.#table.tBodies[0]?.replaceChildren(...this.#rows.map(({ row }) => row));
    this.clear();
  }

  /** There is nothing to answer. */
  clear(): void {
    this.#say('', 'Waiting for a digit.', 'Draw one, drop a picture, or pick an example.', false);
    for (const { row, bar, members, text } of this.#rows) {
      row.classList.remove('likeliest');
      bar.setAttribute('width', '0');
      for (const mark of members) mark.setAttribute('visibility', 'hidden');
      text.textContent = '';
    }
  }

  show(
    { label, probability, probabilities, entropy, members }: EnsembleAnswer,
    names: readonly string[],
  ): void {
    const votes = members.filter((own) => own.indexOf(Math.max(...own)) === label).length;
    const name = names[label] as string;
    const an = `${name === '8' ? 'an' : 'a'} ${name}`;
    const vote = `${votes} of ${members.length} networks vote for ${name}.`;
    const uncertainty = `Uncertainty: ${entropy.toFixed(2)} nats; doubt begins at ${this.#doubt.toFixed(2)}.`;
    if (entropy > this.#doubt) {
      const guess = probability > 0.4 ? `Perhaps ${an}. ${vote}` : 'It may be no digit at all.';
      this.#say('?', 'I don’t know.', `${guess} ${uncertainty}`, false);
    } else
      this.#say(name, `${probability > 0.95 ? 'It is' : 'Probably'} ${an}.`, `${vote} ${uncertainty}`, true);
    this.#rows.forEach(({ row, bar, members: marks, text }, index) => {
      row.classList.toggle('likeliest', index === label);
      bar.setAttribute('width', String(100 * (probabilities[index] as number)));
      marks.forEach((mark, member) => {
        mark.setAttribute('x', String(99.6 * (members[member]?.[index] as number)));
        mark.setAttribute('visibility', 'visible');
      });
      text.textContent = percent(probabilities[index] as number);
    });
  }

  #say(glyph: string, sentence: string, detail: string, isSure: boolean): void {
    this.#verdict.textContent = glyph;
    this.#verdict.classList.toggle('unsure', !isSure);
    this.#table.classList.toggle('unsure', !isSure);
    this.#sentence.textContent = sentence;
    this.#detail.textContent = detail;
  }
}
