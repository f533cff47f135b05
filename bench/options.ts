import { UserError } from '../schemas/errors.ts';

/** The integers of an option such as `--threads 1,2`. @throws UserError unless each is from 1 to 9999 */
export const integers = (name: string, text: string): number[] =>
  text.split(',').map((part) => {
    if (!/^[1-9]\d{0,3}$/.test(part)) {
      throw new UserError(`--${name} is '${text}'; give an integer from 1 to 9999.`);
    }
    return Number(part);
  });

/** A name out of a list. @throws UserError for another */
export function oneOf<const Name extends string>(option: string, text: string, names: readonly Name[]): Name {
  const found = names.find((name) => name === text);
  if (found === undefined) throw new UserError(`--${option} is '${text}'; give one of ${names.join(', ')}.`);
  return found;
}

/** The names of an option such as `--nets A,B`, each out of a list. @throws UserError for another */
export const severalOf = <const Name extends string>(
  option: string,
  text: string,
  names: readonly Name[],
): Name[] => text.split(',').map((part) => oneOf(option, part, names));
