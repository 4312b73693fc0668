import type { Disk, Hardware } from "../../installer/hardware.ts";
import { type Job, parseJob } from "../../installer/job.ts";
import type { PlannableImage } from "../../installer/plannable-image.ts";
import type { StackedDevice } from "../../installer/wipe/stack.ts";
import type { Manifest } from "../../mirror/index.ts";

const gibibyte = 2 ** 30;

export function sampleDisk(letter: string, overrides: Partial<Disk> = {}): Disk {
  return {
    name: `/dev/sd${letter}`,
    path: `/dev/disk/by-id/ata-SAMPLE_${letter.toUpperCase()}`,
    links: [`/dev/disk/by-id/ata-SAMPLE_${letter.toUpperCase()}`, `/dev/disk/by-path/pci-0000:00:1f.2-ata-${letter}`],
    sizeBytes: 8 * gibibyte,
    logicalSectorBytes: 512,
    model: "SAMPLE",
    vendor: "ATA",
    serial: letter.toUpperCase(),
    wwn: "",
    hctl: "",
    transport: "sata",
    rotational: false,
    readOnly: false,
    tableUuid: "",
    partitions: [],
    heldBy: [],
    heldOutOfSight: false,
    holdsRunningSystem: false,
    fault: undefined,
    configDriveLabels: [],
    ...overrides,
  };
}

export function sampleHardware(overrides: Partial<Hardware> = {}): Hardware {
  return {
    firmware: "uefi",
    systemUuid: "4c4c4544-0042-4a10-8053-b4c04f4d3132",
    memoryBytes: 8 * gibibyte,
    kernelRelease: "6.1.0-40-amd64",
    consoles: ["console=tty0", "console=ttyS0,115200"],
    disks: [sampleDisk("a"), sampleDisk("b")],
    interfaces: ["52:54:00:00:00:01", "52:54:00:00:00:02"].map((mac, index) => ({
      name: `eno${index + 1}`,
      mac,
      driver: "igb",
      hasCarrier: true,
    })),
    // Debian 12's.
    mkfsFeatures: {
      xfs: ["crc", "finobt", "rmapbt", "reflink", "inobtcount", "bigtime", "projid32bit", "sparse", "nrext64", "ftype"],
      btrfs: ["mixed-bg", "extref", "raid56", "skinny-metadata", "no-holes", "raid1c34", "zoned"],
    },
    stack: (overrides.disks ?? [sampleDisk("a"), sampleDisk("b")]).map(({ name, sizeBytes }) =>
      sampleDevice(name, "disk", [], { sizeBytes }),
    ),
    ...overrides,
  };
}

/** Part of a storage stack, by default with nothing on it. */
export function sampleDevice(
  name: string,
  kind: StackedDevice["kind"],
  on: readonly string[],
  overrides: Partial<StackedDevice> = {},
): StackedDevice {
  return {
    name,
    kind,
    on,
    sizeBytes: gibibyte,
    links: [],
    number: kind === "partition" ? Number(/\d+$/.exec(name)?.[0]) : undefined,
    mountPoints: [],
    swaps: [],
    signatures: [],
    partOf: [],
    contentOffset: undefined,
    mappingName: kind === "mapping" ? name.slice("/dev/".length) : undefined,
    array: kind === "array" ? { state: "clean", level: "raid1" } : undefined,
    bcacheStop: undefined,
    erasure: kind === "disk" ? { discards: false, secure: { obstacle: "a sample" } } : undefined,
    ...overrides,
  };
}

export function sampleJob(overrides: Record<string, unknown> = {}): Job {
  return parseJob({
    image: "debian-12",
    mirror: "file:///srv/mirror",
    mirrorRoot: "{}",
    disks: { count: 2 },
    storage: "raid1",
    instance: { hostname: "web-1" },
    ...overrides,
  });
}

function sampleManifest(overrides: Partial<Manifest> = {}): Manifest {
  const hash = "0".repeat(64);
  return {
    formatVersion: 1,
    name: "debian-12",
    arch: "amd64",
    version: "20261123.0",
    osRelease: { ID: "debian", NAME: "Debian GNU/Linux", VERSION_ID: "12" },
    family: "debian",
    kernels: ["6.1.0-40-amd64"],
    firmware: { bios: true, uefi: true, secureBoot: true },
    preinstalled: ["cloud-init", "curl", "lvm2", "mdadm"],
    initramfs: { generator: "initramfs-tools", modules: ["raid1", "nvme"], programs: ["mdadm", "lvm"] },
    unpackedBytes: gibibyte,
    minimumDiskBytes: 2 * gibibyte,
    license: "none",
    source: {
      url: "https://images.example.net/debian-12.qcow2",
      checksum: `sha256:${hash}`,
      verifiedBy: "pinned-checksum",
    },
    build: { date: "2026-11-23T00:00:00Z", templateSha256: hash, tools: {} },
    files: [{ path: "image.tar.zst", sizeBytes: 10, sha256: hash }],
    frames: [{ offset: 0, sizeBytes: 10, plainBytes: 1024, sha256: hash }],
    shards: [{ content: "directories", firstFrame: 0, frameCount: 1, plainBytes: 1024 }],
    ...overrides,
  };
}

export function sampleImage(overrides: Partial<Manifest> = {}): PlannableImage {
  const prefix = "images/debian-12/amd64/20261123.0/";
  return {
    facts: sampleManifest(overrides),
    content: { kind: "published", mirror: "file:///srv/mirror", prefix, manifestSha256: "1".repeat(64) },
  };
}
