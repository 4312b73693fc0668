import { mkdir, rm, stat, writeFile } from "node:fs/promises";
import { run } from "../../common/run.ts";
import { digestFile } from "../../factory/checksum.ts";

/** An OVA as virtual appliances are published: descriptor, manifest and one stream-optimized VMDK (DSP0243, 5.3). */
export async function writeOva(disk: string, file: string): Promise<void> {
  const parts = `${file}.d`;
  await mkdir(parts);
  const vmdk = ["convert", "-f", "raw", "-O", "vmdk", "-o", "subformat=streamOptimized", disk, `${parts}/disk.vmdk`];
  await run("qemu-img", vmdk, { doing: "making a VMDK" });
  const [{ size }, { size: capacity }] = await Promise.all([stat(`${parts}/disk.vmdk`), stat(disk)]);
  await writeFile(`${parts}/image.ovf`, describe(size, capacity));
  const digest = async (name: string) => `SHA256(${name})= ${await digestFile(`${parts}/${name}`, "sha256")}\n`;
  const lines = await Promise.all(["image.ovf", "disk.vmdk"].map(digest));
  await writeFile(`${parts}/image.mf`, lines.join(""));
  const members = ["image.ovf", "image.mf", "disk.vmdk"];
  await run("tar", ["--format=ustar", "-cf", file, "-C", parts, ...members], { doing: "making an OVA" });
  await rm(parts, { recursive: true });
}

const describe = (sizeBytes: number, capacityBytes: number) => `<?xml version="1.0" encoding="UTF-8"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1">
  <References><File ovf:id="file1" ovf:href="disk.vmdk" ovf:size="${sizeBytes}"/></References>
  <DiskSection>
    <Info>Disks</Info>
    <Disk ovf:diskId="disk1" ovf:fileRef="file1" ovf:capacity="${capacityBytes}" ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"/>
  </DiskSection>
  <VirtualSystem ovf:id="debian"><Info>A virtual machine</Info><Name>debian</Name></VirtualSystem>
</Envelope>
`;
