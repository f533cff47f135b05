/** Zod compiles its checks where it may; the page's policy forbids that, so it is not even tried. */
import { z } from 'zod';

z.config({ jitless: true });
