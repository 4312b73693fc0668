import { mkdir, mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { run } from "../../../common/run.ts";
import { parseBootEntries, partitionOfEntry } from "../../../installer/boot/boot-entries.ts";
import type { BootOrder } from "../../../installer/boot/boot-order.ts";
import { writeFirmwareEntries } from "../../../installer/boot/firmware-entries.ts";
import type { FirmwareEntry } from "../../../installer/step.ts";

/** The real efibootmgr; the firmware's variables are files of a directory (efivar, EFIVARFS_PATH). */
const doing = "making UEFI boot entries";
let directory: string;
let wanted: FirmwareEntry[];
let options: { doing: string; env: Record<string, string> };

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "firmware-"));
  wanted = await Promise.all(["a", "b"].map(makeDisk));
});
afterAll(async () => {
  for (const { disk } of wanted ?? []) await run("losetup", ["--detach", disk], { doing });
  await rm(directory, { recursive: true });
});

beforeEach(async () => {
  const variables = `${directory}/variables/`;
  await mkdir(variables);
  options = { doing, env: { LIBEFIVAR_OPS: "efivarfs", EFIVARFS_PATH: variables } };
});
afterEach(() => rm(`${directory}/variables`, { recursive: true }));

async function makeDisk(letter: string, index: number): Promise<FirmwareEntry> {
  const file = `${directory}/${letter}.raw`;
  const partitionUuid = `${letter.repeat(8)}-1111-4111-8111-111111111111`;
  await writeFile(file, "");
  await truncate(file, 16 * 2 ** 20);
  const partition = ["--new=2:2048:+8M", "--typecode=2:ef00", `--partition-guid=2:${partitionUuid}`];
  await run("sgdisk", [...partition, file], { doing });
  const { stdout } = await run("losetup", ["--find", "--show", file], { doing });
  const label = `Debian GNU/Linux (disk ${index + 1})`;
  return { label, disk: stdout.trim(), partition: 2, partitionUuid, loader: "\\EFI\\debian\\shimx64.efi" };
}

const globalVariables = "8be4df61-93ca-11d2-aa0d-00e098032b8c";

/** A file of efivarfs: four bytes of attributes (non-volatile, at boot and at run time), then the content. */
async function writeVariable(name: string, content: Buffer): Promise<void> {
  await writeFile(`${directory}/variables/${name}-${globalVariables}`, Buffer.concat([Buffer.of(7, 0, 0, 0), content]));
}

/** EFI_LOAD_OPTION (UEFI 2.10, section 3.1.3), with a path of one node and the end node. */
async function writeEntry(number: string, label: string, node: Buffer): Promise<void> {
  const path = Buffer.concat([node, Buffer.of(0x7f, 0xff, 4, 0)]);
  const head = Buffer.of(1, 0, 0, 0, path.length, 0);
  await writeVariable(`Boot${number}`, Buffer.concat([head, Buffer.from(`${label}\0`, "utf16le"), path]));
}

/** Section 10.3.4.11, MAC address; 10.3.4.9 would be a disk behind SCSI. */
const network = Buffer.concat([Buffer.of(3, 11, 37, 0), Buffer.of(0x52, 0x54, 0, 0x12, 0x34, 0x56), Buffer.alloc(27)]);
const scsi = Buffer.of(3, 2, 8, 0, 0, 0, 0, 0);

async function writeOrder(...numbers: number[]): Promise<void> {
  await writeVariable("BootOrder", Buffer.from(new Uint16Array(numbers).buffer));
}

/** Labels in the order of the firmware. */
async function readOrder(): Promise<string[]> {
  const { order, entries } = parseBootEntries((await run("efibootmgr", ["--verbose"], options)).stdout);
  expect(order.toSorted()).toEqual(entries.map(({ number }) => number).toSorted());
  return order.map((number) => entries.find((entry) => entry.number === number)?.label ?? "");
}

const write = (bootOrder: BootOrder = "keep-network-first") =>
  writeFirmwareEntries({ kind: "firmware-entries", name: "", title: "", entries: wanted, bootOrder }, options);

test("a firmware without entries gets one for each ESP", async () => {
  await write();
  const { entries } = parseBootEntries((await run("efibootmgr", ["--verbose"], options)).stdout);
  expect(entries.map(partitionOfEntry)).toEqual(wanted.map(({ partitionUuid }) => partitionUuid));
  expect(await readOrder()).toEqual(["Debian GNU/Linux (disk 1)", "Debian GNU/Linux (disk 2)"]);
});

test.each([
  ["keep-network-first", [0, 1], ["PXE", "disk 1", "disk 2", "UEFI Hard Disk"]],
  ["keep-network-first", [1, 0], ["disk 1", "disk 2", "UEFI Hard Disk", "PXE"]],
  ["disk-first", [0, 1], ["disk 1", "disk 2", "PXE", "UEFI Hard Disk"]],
  ["leave", [0, 1], ["PXE", "UEFI Hard Disk", "disk 1", "disk 2"]],
] as const)("%s, twice: no duplicates, and the same order", async (bootOrder, before, after) => {
  await writeEntry("0000", "PXE", network);
  await writeEntry("0001", "UEFI Hard Disk", scsi);
  await writeOrder(...before);
  const expected = after.map((label) => (label.startsWith("disk") ? `Debian GNU/Linux (${label})` : label));
  await write(bootOrder);
  expect(await readOrder()).toEqual(expected);
  await write(bootOrder);
  expect(await readOrder()).toEqual(expected);
});

test("without variables of the firmware it fails, and says so", async () => {
  options = { doing, env: { EFIVARFS_PATH: `${directory}/absent/` } };
  await expect(write()).rejects.toThrow(expect.objectContaining({ code: "command-failed" }));
});
