/** What the 1-bit engine uses of WebAssembly besides what `schemas/webassembly.d.ts` declares. */
declare namespace WebAssembly {
  interface Memory {
    grow(pages: number): number;
  }

  function compile(bytes: Uint8Array): Promise<Module>;
  function validate(bytes: Uint8Array): boolean;
}
