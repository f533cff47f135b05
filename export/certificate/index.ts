/** What a file answers, written down so that it can be checked elsewhere. */
export {
  type CertifiedDevice,
  type CertifyOptions,
  certify,
  type CommonOptions,
  type OnProgress,
} from './certify.ts';
export { type CertificateCheck, checkCertificate } from './check.ts';
export type { GivenData } from './record.ts';
export type { DeviceRunner } from './runs.ts';
