/** HTML as text, in which nothing that comes from a file is taken for markup. */

/** Text as it stands in HTML, also between quotes. */
export const escaped = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');

/** A table: the first row names the columns, the first cell of the others the row; numbers stand to the right. */
export function tableHtml(caption: string, rows: readonly (readonly string[])[]): string {
  const [head = [], ...body] = rows;
  const isNumber = head.map((_, column) =>
    body.every((row) =>
      /^([−–-]|[−-]?[\d,.]+(e-?\d+)?( ?(%|B|kB|MB|GB|nats|µs))?)?$/.test(row[column] ?? ''),
    ),
  );
  const side = (column: number): string => (isNumber[column] ? ' class="number"' : '');
  const header = head.map((cell, column) => `<th scope="col"${side(column)}>${escaped(cell)}</th>`);
  const lines = body.map(([first = '', ...cells]) => {
    const others = cells.map((cell, column) => `<td${side(column + 1)}>${escaped(cell)}</td>`);
    return `<tr><th scope="row">${escaped(first)}</th>${others.join('')}</tr>`;
  });
  return (
    `<div class="scroll" tabindex="0" role="region" aria-label="${escaped(caption)}"><table><caption>${escaped(caption)}</caption>` +
    `<thead><tr>${header.join('')}</tr></thead><tbody>${lines.join('')}</tbody></table></div>`
  );
}

/** Names and values, side by side. */
export const factsHtml = (facts: Readonly<Record<string, string>>): string =>
  `<dl>${Object.entries(facts)
    .map(([name, value]) => `<div><dt>${escaped(name)}</dt><dd>${escaped(value)}</dd></div>`)
    .join('')}</dl>`;
