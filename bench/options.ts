import { UserError } from '../schemas/errors.ts';

/** The integers of an option such as `--threads 1,2`. @throws UserError unless each is from 1 to 9999 */
export const integers = (name: string, text: string): number[] =>
  text.split(',').map((part) => {
    if (!/^[1-9]\d{0,3}$/.test(part)) {
      throw new UserError(`--${name} is '${text}'; give an integer from 1 to 9999.`);
    }
    return Number(part);
  });
