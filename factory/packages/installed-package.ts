/** One package of an image, as the image's own database has it. */
export interface InstalledPackage {
  format: "deb" | "rpm";
  name: string;
  /** deb: the whole version. rpm: version and release, without the epoch. */
  version: string;
  /** rpm only; where there is none, it counts as 0. */
  epoch?: number;
  arch?: string;
  /** What it was built from: a source package's name, or a source rpm's file name. */
  source?: string;
  /** Who vouches for it: deb's maintainer, rpm's vendor. */
  supplier?: string;
}
