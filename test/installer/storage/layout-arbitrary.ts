import fc from "fast-check";
import { Secret } from "../../../common/secret.ts";

const size = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 4000 }).map((mebibytes) => `${mebibytes} MiB`) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 40 }).map((percent) => `${percent}%`) },
  { weight: 1, arbitrary: fc.constant("rest") },
);

const often = <T>(common: T, ...others: T[]) =>
  fc.oneof({ weight: 8, arbitrary: fc.constant(common) }, { weight: 2, arbitrary: fc.constantFrom(...others) });

const group = often("system", "backup");
const level = fc.constantFrom(0, 1, 1, 1, 1, 4, 5, 6, 10);
const type = often("ext4", "xfs", "btrfs", "vfat", "swap");
const places = ["/", "/boot", "/var", "/home", "/srv", "/usr"];

/** What stands on a partition, from the bottom up. */
const stackArbitrary = fc.record({
  size,
  group,
  array: fc.option(
    fc
      .record({
        level,
        spares: often(0, 0, 1),
        metadata: fc.constantFrom("1.0", "1.2"),
        chunk: often(undefined, "4 KiB", "512 KiB", "64 MiB"),
        sync: often(undefined, "first-boot", "create", "zero", "assume-clean"),
      })
      .map((array) => (array.level === 1 ? { ...array, chunk: undefined } : array)),
    { freq: 6 },
  ),
  isEncrypted: often(false, true),
  volumes: fc.option(fc.array(fc.record({ size, stripes: often(1, 2, 3), type }), { minLength: 1, maxLength: 3 }), {
    freq: 2,
  }),
  type,
});

/**
 * Full layouts of which a good part can be: a few partitions, on each an array, LUKS, a volume group or nothing, and file
 * systems on top. Now and then a name is wrong.
 */
export const layoutArbitrary = fc
  .tuple(
    fc.array(stackArbitrary, { minLength: 1, maxLength: 3 }),
    fc.shuffledSubarray(places, { minLength: places.length }),
    fc.integer({ min: 0, max: 20 }),
    often(undefined, "per-disk", "raid1"),
  )
  .map(([stacks, shuffled, mistake, esp]) => {
    const raid: object[] = [];
    const luks: object[] = [];
    const lvm: object[] = [];
    const filesystems: object[] = [];
    // The first two are mostly what a server needs.
    const mounts = ["/", ...shuffled.filter((place) => place !== "/")];
    const add = (on: string, wanted: string) => {
      const kind = filesystems.length < 2 && wanted === "swap" ? "ext4" : wanted;
      filesystems.push(kind === "swap" ? { on, type: kind } : { on, type: kind, mount: mounts.shift() ?? "/opt" });
    };
    const partitions = stacks.map(({ size: wanted, group: disks, array, isEncrypted, volumes, type: kind }, index) => {
      let top = `p${index}`;
      if (array) {
        raid.push({ name: `array${index}`, on: top, ...array });
        top = `array${index}`;
      }
      if (isEncrypted) {
        luks.push({ name: `luks${index}`, on: top, passphrase: new Secret("x") });
        top = `luks${index}`;
      }
      if (!volumes) add(mistake === 1 ? "nothing" : top, kind);
      else {
        const named = volumes.map((volume, number) => ({
          name: `v${number}`,
          size: volume.size,
          stripes: volume.stripes,
        }));
        lvm.push({ name: `vg${index}`, on: top, volumes: named });
        for (const [number, volume] of volumes.entries()) add(`vg${index}/v${number}`, volume.type);
      }
      return { name: `p${index}`, group: disks, size: wanted };
    });
    return { esp, partitions, raid, luks, lvm, filesystems };
  });
