export { type Started, startChromium } from '../../bench/browser/chromium.ts';
