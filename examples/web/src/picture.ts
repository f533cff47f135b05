import { contextOf, element } from './element.ts';
import { type Ink, inkOf } from './image.ts';

/** Pictures are looked at in this size: no digit needs more. */
const most = 280;

/** Takes pictures that are dropped on the page, pasted or chosen. @param failed told in words when one cannot be read */
export function takePictures(taken: (ink: Ink) => void, failed: (reason: string) => void): void {
  const file = element('file', HTMLInputElement);
  const take = (found: File | undefined): void => {
    if (!found) return;
    readPicture(found).then(taken, () => failed(`“${found.name}” is no picture that this browser can read.`));
  };
  element('picture', HTMLButtonElement).addEventListener('click', () => file.click());
  file.addEventListener('change', () => {
    take(file.files?.[0]);
    file.value = '';
  });
  const { body } = document;
  body.addEventListener('dragover', (event) => {
    event.preventDefault();
    body.classList.add('over');
  });
  body.addEventListener('dragleave', (event) => {
    if (!event.relatedTarget) body.classList.remove('over');
  });
  body.addEventListener('drop', (event) => {
    event.preventDefault();
    body.classList.remove('over');
    take(event.dataTransfer?.files[0]);
  });
  body.addEventListener('paste', (event) => take(event.clipboardData?.files[0]));
}

async function readPicture(file: File): Promise<Ink> {
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, most / Math.max(bitmap.width, bitmap.height));
  const width = Math.max(1, Math.round(bitmap.width * scale));
  const height = Math.max(1, Math.round(bitmap.height * scale));
  const context = contextOf(Object.assign(document.createElement('canvas'), { width, height }));
  context.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  return inkOf(context.getImageData(0, 0, width, height).data, width, height);
}
