/** Colours of the style sheet, for what is drawn on a canvas. */
export interface Theme {
  readonly ink: string;
  readonly soft: string;
  readonly line: string;
  readonly accent: string;
}

export function themeNow(): Theme {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  return { ink: colour('ink'), soft: colour('soft'), line: colour('line'), accent: colour('accent') };
}

/** Calls back when the colours change between light and dark. */
export const onTheme = (changed: () => void): void =>
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', changed);
