import { element } from './element.ts';

/** Keeps the page in the browser, and tells whether it needs the network. */
export function keepOffline(): void {
  const state = element('network-state', HTMLElement);
  let isKept = false;
  const show = (): void => {
    if (!navigator.onLine) state.textContent = 'You are offline. The page goes on working.';
    else state.textContent = isKept ? 'This page now works without a network, too.' : '';
  };
  addEventListener('online', show);
  addEventListener('offline', show);
  show();
  if (!('serviceWorker' in navigator)) return;
  navigator.serviceWorker
    .register('./service-worker.js')
    .then(() => navigator.serviceWorker.ready)
    .then(() => {
      isKept = true;
      show();
    })
    // Without it the page works as long as it stays open.
    .catch(() => undefined);
}
