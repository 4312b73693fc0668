import type { Manifest } from "../../../mirror/manifest.ts";
import type { ImageContents, MirrorContents } from "../../../mirror/page/contents.ts";
import type { QualifiedEntry } from "../../../mirror/qualification/entries.ts";
import { makeSampleImage, sha256 } from "../sample-image.ts";

const MiB = 2 ** 20;
const { manifest: sample } = makeSampleImage();

interface System {
  name: string;
  arch?: "amd64" | "arm64";
  osRelease: Record<string, string>;
  family: Manifest["family"];
  kernel: string;
  sizeMiB: number;
  license?: "rhsm";
  source: string;
  verifiedBy?: Manifest["source"]["verifiedBy"];
}

const debian12 = {
  name: "debian-12",
  osRelease: osRelease("Debian GNU/Linux", "debian", "12", "bookworm"),
  family: "debian",
  kernel: "6.1.0-40-amd64",
  sizeMiB: 412,
  source: "https://cloud.debian.org/images/cloud/bookworm/latest/debian-12-genericcloud-amd64.qcow2",
} as const;

const systems: System[] = [
  debian12,
  { ...debian12, arch: "arm64", kernel: "6.1.0-40-arm64", sizeMiB: 398 },
  {
    name: "debian-13",
    osRelease: osRelease("Debian GNU/Linux", "debian", "13", "trixie"),
    family: "debian",
    kernel: "6.12.48+deb13-amd64",
    sizeMiB: 447,
    source: "https://cloud.debian.org/images/cloud/trixie/latest/debian-13-genericcloud-amd64.qcow2",
    verifiedBy: "checksum-file",
  },
  {
    name: "ubuntu-24.04",
    osRelease: { ...osRelease("Ubuntu", "ubuntu", "24.04", "noble"), PRETTY_NAME: "Ubuntu 24.04.3 LTS" },
    family: "debian",
    kernel: "6.8.0-79-generic",
    sizeMiB: 655,
    source: "https://cloud-images.ubuntu.com/noble/current/noble-server-cloudimg-amd64.img",
  },
  {
    name: "rocky-9",
    osRelease: { ...osRelease("Rocky Linux", "rocky", "9.6", ""), PRETTY_NAME: "Rocky Linux 9.6 (Blue Onyx)" },
    family: "redhat",
    kernel: "5.14.0-570.42.2.el9_6.x86_64",
    sizeMiB: 702,
    source: "https://dl.rockylinux.org/pub/rocky/9/images/x86_64/Rocky-9-GenericCloud.latest.x86_64.qcow2",
  },
  {
    name: "rhel-10",
    osRelease: {
      ...osRelease("Red Hat Enterprise Linux", "rhel", "10.0", ""),
      PRETTY_NAME: "Red Hat Enterprise Linux 10.0 (Coughlan)",
    },
    family: "redhat",
    kernel: "6.12.0-55.9.1.el10_0.x86_64",
    sizeMiB: 811,
    license: "rhsm",
    source: "file:///srv/vendor/rhel-10.0-x86_64-kvm.qcow2",
    verifiedBy: "pinned-checksum",
  },
  {
    name: "opensuse-leap-16.0",
    osRelease: { ...osRelease("openSUSE Leap", "opensuse-leap", "16.0", ""), PRETTY_NAME: "openSUSE Leap 16.0" },
    family: "suse",
    kernel: "6.12.0-160000.5-default",
    sizeMiB: 590,
    source: "https://download.opensuse.org/distribution/leap/16.0/appliances/Leap-16.0-Minimal-VM.x86_64-Cloud.qcow2",
  },
];

function osRelease(name: string, id: string, version: string, codename: string): Record<string, string> {
  return {
    PRETTY_NAME: `${name} ${version}${codename && ` (${codename})`}`,
    NAME: name,
    ID: id,
    VERSION_ID: version,
    VERSION: `${version}${codename && ` (${codename})`}`,
    ...(codename && { VERSION_CODENAME: codename }),
  };
}

/** A mirror as a hosting company's may look. */
export function sampleContents(): MirrorContents {
  return { updatedAt: "2026-11-30T02:00:00Z", images: systems.map(sampleContent) };
}

function sampleContent(system: System): ImageContents {
  const versions = ["20261130.0", "20261123.0", "20261109.1"].map((version, index) => {
    const manifest = sampleManifest(system, version);
    const manifestSha256 = sha256(Buffer.from(JSON.stringify(manifest)));
    return { version, manifest, manifestSha256, ...(index === 1 && { qualified: sampleQualified() }) };
  });
  const { name, arch = "amd64" } = system;
  return { name, arch, channels: { stable: "20261123.0", candidate: "20261130.0" }, versions };
}

function sampleQualified(): QualifiedEntry[] {
  const reports = [
    { hardware: "ASRockRack X570D4U", profile: "quick", outcome: "failed", at: "2026-11-24T09:30:00Z" },
    { hardware: "Dell Inc. PowerEdge R650", profile: "full", outcome: "passed", at: "2026-11-25T17:02:11Z" },
  ] as const;
  return reports.map((report) => ({
    ...report,
    profileSha256: sha256(Buffer.from(report.profile)),
    reportSha256: sha256(Buffer.from(report.hardware)),
    reportBytes: 40_000,
  }));
}

function sampleManifest(system: System, version: string): Manifest {
  const { name, arch = "amd64", family, kernel, sizeMiB, license = "none", source, verifiedBy = "signature" } = system;
  return {
    ...sample,
    name,
    version,
    arch,
    family,
    osRelease: system.osRelease,
    kernels: [kernel],
    firmware: { bios: arch === "amd64", uefi: true, secureBoot: family !== "suse" },
    preinstalled: [
      "btrfs-progs",
      "cloud-init",
      "cryptsetup",
      "curl",
      "efibootmgr",
      "lvm2",
      "mdadm",
      "openssh-server",
      "xfsprogs",
    ],
    initramfs: {
      ...sample.initramfs,
      generator: family === "debian" ? "initramfs-tools" : "dracut",
      programs: ["cryptsetup", "lvm", "mdadm"],
    },
    unpackedBytes: Math.round(sizeMiB * 3.1) * MiB,
    license,
    source: {
      url: source,
      checksum: `sha512:${sha256(Buffer.from(name)).repeat(2)}`,
      verifiedBy,
      ...(verifiedBy === "signature" && { signedBy: "DF9B9C49EAA9298432589D76DA87E80D6294BE9B" }),
    },
    build: {
      ...sample.build,
      date: `${version.slice(0, 4)}-${version.slice(4, 6)}-${version.slice(6, 8)}T01:12:40Z`,
      tools: { packer: "1.6.6", qemu: "7.2.17", tar: "1.34", zstd: "1.5.4" },
    },
    files: [
      { path: "image.tar.zst", sizeBytes: sizeMiB * MiB, sha256: sha256(Buffer.from(`${name} ${version}`)) },
      { path: "sbom.cdx.json", sizeBytes: 1_400_000, sha256: sha256(Buffer.from(`sbom ${name} ${version}`)) },
    ],
  };
}
