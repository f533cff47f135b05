/** Hands out the names of values, unique in a graph and all its subgraphs, as ONNX asks. */
export class Names {
  readonly #taken = new Set<string>();
  readonly #next = new Map<string, number>();

  /** Notes a name that is in use, perhaps more than once, in a graph made elsewhere. */
  note(name: string): void {
    this.#taken.add(name);
  }

  /** @throws Error if the name is empty or taken. */
  claim(name: string): void {
    if (name === '') throw new Error('A value needs a name that is not empty');
    if (this.#taken.has(name)) throw new Error(`There is a value named '${name}' already`);
    this.#taken.add(name);
  }

  /** The next free name, e.g. MatMul_3 for the stem MatMul; the same calls give the same names. */
  next(stem: string): string {
    let index = this.#next.get(stem) ?? 0;
    while (this.#taken.has(`${stem}_${index}`)) index += 1;
    this.#next.set(stem, index + 1);
    return `${stem}_${index}`;
  }
}
