import { mkdir, open, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { makeEmpty, makeGptDisk, systemFiles } from "./make-disk.ts";
import { placesOf, useTreeStage } from "./tree-stage.ts";

const stage = useTreeStage();

describe("a hostile fstab", () => {
  it("cannot mount outside the tree, whatever its links", async () => {
    const outside = join(stage().directory, "../outside");
    await mkdir(outside);
    const links = { home: `-> ${outside}`, opt: "-> ../../../../../../srv", mnt: "-> /proc/1/root", media: "-> /" };
    const { "home/": _, ...files } = systemFiles(
      ["home", "opt", "mnt", "media"]
        .map((name, index) => `PARTLABEL=other-${index} /${name} ext4 defaults 0 0\n`)
        .join(""),
      links,
    );
    const parts = [files, { at: "home" }, { at: "opt" }, { at: "mnt" }, { at: "media" }];
    const images: string[] = [];
    for (const part of parts) images.push(await stage().make.ext(part));
    await makeGptDisk(
      stage().disk,
      images.map((image, index) => ({ type: "linux", image, name: `other-${index - 1}` })),
    );
    const tree = await stage().mount();
    expect(placesOf(tree)).toEqual([
      ["/", "partition 1"],
      ["/opt", "partition 3"],
    ]);
    expect(tree.mounts[1]?.directory).toBe(join(stage().directory, "srv"));
    expect(tree.passedOver.map(({ mountPoint, reason }) => [mountPoint, reason])).toEqual([
      ["/home", "the tree has no such directory"],
      ["/mnt", "the tree has no such directory"],
      ["/media", "it would hide the root"],
    ]);
    expect(await stage().namespace.run("ls", [outside], { doing: "listing" })).toMatchObject({ stdout: "" });
  });

  it("cannot hide what is mounted", async () => {
    const fstab = "PARTLABEL=other-0 /srv/a/b ext4\nPARTLABEL=other-1 /srv/a/b ext4\nPARTLABEL=other-2 /x/x/x/x ext4\n";
    const files = { "srv/a/b/": "", "x/x/x/x": "-> /srv" };
    await stage().makeDisk(
      fstab,
      files,
      await stage().make.ext({ first: "1" }),
      await stage().make.ext({}),
      await stage().make.ext({}),
    );
    const tree = await stage().mount();
    expect(placesOf(tree)).toEqual([
      ["/", "partition 1"],
      ["/srv/a/b", "partition 2"],
    ]);
    const hides = "it would hide /srv/a/b";
    expect(tree.passedOver.map(({ reason }) => reason)).toEqual([hides, hides]);
    expect(await stage().read("srv/a/b/first")).toBe("1");
  });

  it("cannot give options of its own", async () => {
    const fstab =
      'PARTLABEL=other-0 /home btrfs subvol="a,suid,exec" 0 0\nPARTLABEL=other-0 /srv btrfs rw,suid,exec,dev 0 0\n';
    await stage().makeDisk(fstab, {}, await stage().make.btrfs({}, "true"));
    const tree = await stage().mount();
    expect(placesOf(tree).at(-1)).toEqual(["/srv", "partition 2", "/"]);
    expect(tree.passedOver).toMatchObject([{ mountPoint: "/home", reason: "its subvolume has an impossible name" }]);
  });

  it("is refused where it is endless", async () => {
    await stage().makeDisk("LABEL=x /home ext4 defaults 0 0\n".repeat(201), {});
    await expect(stage().mount()).rejects.toMatchObject({ code: "fstab-too-long", kind: "integrity" });
  });

  it("is not read where it is a pipe, a device or a link out of the tree", async () => {
    const image = await stage().make.ext(systemFiles("", { "etc/outside": `-> ${import.meta.filename}` }));
    for (const script of ["mkfifo etc/fstab", "mknod etc/fstab c 1 5", "ln -s outside etc/fstab"]) {
      await stage().make.fill(image, `rm -f etc/fstab; ${script}`);
      stage().disk = image;
      expect((await stage().mount()).passedOver).toEqual([]);
      await stage().namespace.unmount(stage().directory);
    }
  });

  it("that circles is a failure", async () => {
    await stage().makeDisk("PARTLABEL=other-0 /a ext4\n", { a: "-> b", b: "-> a" }, await stage().make.ext({}));
    await expect(stage().mount()).rejects.toMatchObject({ code: "link-loop", kind: "integrity" });
  });

  it("may name devices that are not there, except for /boot and /usr", async () => {
    await stage().makeDisk("LABEL=gone /srv ext4 defaults 0 0\n/dev/vdb /mnt auto nofail 0 2\nnas:/x /home nfs\n", {
      "mnt/": "",
    });
    const reason = "no volume of this disk has that name, or more than one";
    expect((await stage().mount()).passedOver).toEqual([
      { device: "LABEL=gone", mountPoint: "/srv", from: "fstab", reason },
      { device: "/dev/vdb", mountPoint: "/mnt", from: "fstab", reason },
    ]);
    for (const mountPoint of ["/boot", "/usr"]) {
      await stage().namespace.unmount(stage().directory);
      await stage().makeDisk(`UUID=gone ${mountPoint} ext4 defaults 0 0\n`, {});
      await expect(stage().mount()).rejects.toMatchObject({
        code: "mount-missing",
        data: { device: "UUID=gone", mountPoint },
      });
    }
  });
});

describe("a disk that cannot become one tree", () => {
  it("is refused with two operating systems, unless the partitions' types tell which", async () => {
    const [first, second] = [await stage().make.ext(systemFiles("")), await stage().make.ext(systemFiles(""))];
    const layout = (type: string) =>
      makeGptDisk(stage().disk, [
        { type: "linux", image: first },
        { type, image: second },
      ]);
    await layout("linux");
    await expect(stage().mount()).rejects.toMatchObject({
      code: "root-ambiguous",
      data: { names: ["partition 1", "partition 2"] },
    });
    await layout("root");
    expect(placesOf(await stage().mount())).toEqual([["/", "partition 2"]]);
  });

  it("says that it is encrypted", async () => {
    const luks = await makeEmpty(`${stage().disk}.luks`, 1);
    await using file = await open(luks, "r+");
    await file.write(Buffer.from("4c554b53babe0002", "hex"), 0, 8, 0);
    await makeGptDisk(stage().disk, [{ type: "luks", image: luks }]);
    await expect(stage().mount()).rejects.toMatchObject({
      code: "root-missing",
      message: expect.stringContaining("partition 1: luks (it is encrypted with LUKS)"),
      hint: "take an image that is not encrypted",
    });
  });

  it("says what a damaged file system's mount said", async () => {
    await stage().makeDisk("", {});
    await using file = await open(stage().disk, "r+");
    // The group descriptors.
    await file.write(Buffer.alloc(4096, 0xff), 0, 4096, 2 ** 20 + 2048);
    await file.write(Buffer.alloc(4096, 0xff), 0, 4096, 2 ** 20 + 4096);
    await expect(stage().mount()).rejects.toMatchObject({
      code: "root-missing",
      data: { unreadable: [expect.stringMatching(/reading partition 1 \(ext4\).*mount/)] },
    });
  });

  it("says that a file system claims more than its partition has", async () => {
    const image = await stage().make.ext(systemFiles(""));
    await using file = await open(image, "r+");
    await file.truncate(12 * 2 ** 20);
    await makeGptDisk(stage().disk, [{ type: "root", image }]);
    await expect(stage().mount()).rejects.toMatchObject({
      code: "root-missing",
      message: expect.stringContaining("it claims"),
    });
  });

  it("is refused with more volumes than any image has", async () => {
    const image = await makeEmpty(`${stage().disk}.empty`, 1);
    await makeGptDisk(
      stage().disk,
      Array.from({ length: 101 }, () => ({ type: "linux", image })),
    );
    await expect(stage().mount()).rejects.toMatchObject({ code: "too-many-volumes", kind: "integrity" });
  });

  it("ends when interrupted", async () => {
    await stage().makeDisk("", {});
    await expect(stage().mount(AbortSignal.abort())).rejects.toMatchObject({ kind: "interrupted" });
  });
});

describe("a hostile vfat", () => {
  const fstab = "PARTLABEL=other-0 /boot/efi vfat defaults 0 0\n";

  it("with a name that leads out of its directory changes nothing outside", async () => {
    const image = await stage().make.vfat({ "abcdefghijklm.txt": "escaped" });
    const content = await readFile(image);
    // Long names are UTF-16 in pieces of 5, 6 and 2 characters.
    const at = content.indexOf(Buffer.from("abcde", "utf16le"));
    expect(at).toBeGreaterThan(0);
    Buffer.from("../..", "utf16le").copy(content, at);
    Buffer.from("/../..", "utf16le").copy(content, at + 13);
    await writeFile(image, content);
    await stage().makeDisk(fstab, { "boot/efi/": "" }, image);
    await stage()
      .mount()
      .catch((error) => expect(error).toMatchObject({ code: "volume-unreadable" }));
    const own = join(stage().directory, "..");
    for (const outside of [own, join(own, "scratch"), join(own, ".."), "/var/tmp", "/"]) {
      expect((await readdir(outside)).filter((name) => name.endsWith("lm.txt"))).toEqual([]);
    }
  });

  it("with a directory that holds itself ends", async () => {
    const image = await stage().make.vfat({ "DIR/FILE": "x" });
    const content = await readFile(image);
    const [directoryEntry, fileEntry] = [content.indexOf("DIR     "), content.indexOf("FILE    ")];
    // The file's entry becomes the directory's own, under another name.
    content.copy(content, fileEntry + 11, directoryEntry + 11, directoryEntry + 32);
    await writeFile(image, content);
    await stage().makeDisk(fstab, { "boot/efi/": "" }, image);
    await expect(stage().mount()).rejects.toMatchObject({ code: "volume-unreadable", kind: "integrity" });
  });

  it("may be empty", async () => {
    await stage().makeDisk(fstab, { "boot/efi/": "" }, await stage().make.vfat({}));
    expect(placesOf(await stage().mount()).at(-1)).toEqual(["/boot/efi", "partition 2"]);
  });
});
