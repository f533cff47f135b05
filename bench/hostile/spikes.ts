import { gunzipSync } from 'node:zlib';

/**
 * A small HDF5 file in the layout of the Spiking Heidelberg Digits. Written by h5py 3.16 and packed, since no package of
 * this repository writes ragged arrays:
 * spikes/times, float16: [0, 0.25, 0.5], [], [0.125, 0.0625], [1.5]
 * spikes/units, uint16: [0, 699, 350], [], [7, 8], [42]
 * labels: [1, 0, 2, 1]; extra/speaker: [3, 1, 3, 2]; extra/keys: zero, one, two; extra/meta_info/age: [30, 40]
 */
export const spikesHdf5: Buffer = gunzipSync(
  Buffer.from(
    'H4sIAAAAAAACA+2Zz2/TMBTHn51mCxGombiUgUroLhNs0AOHnlARK+SAGAIOnGBBMqzq1lZtED9OO4Zbj/wJ/A/8Axz3J+xP4D8Y' +
      'dW0X2zTNKD/Ure8jRU92Xp/rl6+d2P4Ubd2/4K/6wPE8KEAAOseS9JZZVvd3pCXSptJ+oaqejO6VZP2KjG/7PXvSaHDvYwvVzpEr' +
      'rAfIIhI17j7m9rksh9J+o6Zfv9tssT7AXvyK7Q0te5/0Yk2ftd9sN0u/kSPKu+7J9FuTwg3wUaJ+NT2lrumXNPe5fOFtu5n0Nd3W' +
      'Z2z36aPtLQLOuL3wijlfR7K8Wzb1GVyeHlfNw6FjxbPGxVmBgCv6SFRZZJQQUVGQfso6wxmK37kkc7oSFoHKDPsu+EXp5w4zyf0o' +
      'FZE9GdchA3/ykz+Yi3wIXdGxDtaXp/srXR2cw7ngz3RVMnTFL6plOFtPh6uT9ZTOVT749HHom3OKDtXuO9JHlfmU8+De9kOiCU7F' +
      'WPoZ4jb/CKC/1H+lL4iIqecbqrAx6TksS+W72v8acceMq+qvW/3YKaL2EQRBEARBEARBEORv7B/QnP2DgrV/sASz7McEI9fsfRhq' +
      '7cMEa+KX9knWYC7zmXn+Ye0b551/fL86udfIYmCff6xLm5ZNv36XxS3Wgxb7wI8/YJ8l8ctm+3VnrEdB9cT6/dfjuXSqxrM6D1L7' +
      '8bVr0/3VuI8qZv6DG8J2K2bvj8qLoec8XTna+0hYoZ+LRGgtW0+h1NN5q8XPc56Pye8JWyf2PKB0OKiY8eI3zNBb9N/6wcc9HyH8' +
      'ovCR9TqdNoPkXQfK1tyFIAiCIMjZIG8dW7+J69hFJu+7X+05UXs96SnN1HPWkxtr5pfxaVhPkvF4qG6iRmbhBwHjPTaILwAA',
    'base64',
  ),
);
