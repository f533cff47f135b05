/**
 * Zod tries whether it may compile its checks, and a content security policy reports that it may not. It is told not to
 * try here, where the copy of it is our own: elsewhere that is for whoever shares it to say.
 */
import { config } from 'zod';

config({ jitless: true });
