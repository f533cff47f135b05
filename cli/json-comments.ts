/**
 * JSON text without its comments, `//` to the end of a line and between slash and star, and without commas before a
 * closing bracket. Blanks stand in their place, so that messages about a position still point at it.
 */
export const withoutComments = (text: string): string =>
  text
    .replace(/("(?:[^"\\\n]|\\.)*")|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, (found, string: string | undefined) =>
      string === undefined ? blank(found) : string,
    )
    .replace(/("(?:[^"\\\n]|\\.)*")|,(?=\s*[}\]])/g, (_, string: string | undefined) => string ?? ' ');

const blank = (text: string): string => text.replace(/[^\n]/g, ' ');
