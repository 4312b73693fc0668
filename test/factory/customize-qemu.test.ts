import { access, mkdtemp, readdir, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../common/run.ts";
import { type CatalogImage, findImage, loadCatalog } from "../../factory/catalog.ts";
import { customizeDisk } from "../../factory/customize-disk.ts";

let folder: string;
let image: CatalogImage;

beforeAll(async () => {
  folder = await mkdtemp("/var/tmp/customize-qemu-");
  // Nothing boots from it: the virtual machine waits for ever.
  await writeFile(join(folder, "vendor.raw"), "");
  await truncate(join(folder, "vendor.raw"), 2 ** 20);
  image = findImage(await loadCatalog(), "debian-12");
});
afterAll(() => rm(folder, { recursive: true }));

function customize(changed: Partial<CatalogImage>, onText: (text: string) => void, signal?: AbortSignal) {
  return customizeDisk(
    { ...image, ...changed },
    {
      way: "qemu",
      accelerator: "tcg",
      disk: { path: join(folder, "vendor.raw"), format: "raw" },
      destination: join(folder, "customized.raw"),
      scratch: join(folder, "scratch"),
      onText,
      ...(signal && { signal }),
    },
  );
}

async function processes(): Promise<string[]> {
  const { stdout } = await run("ps", ["-eo", "args"], { doing: "listing processes" });
  return stdout.split("\n").filter((line) => line.includes(folder));
}

describe("customizing in a virtual machine", () => {
  it.each([["bios"], ["uefi"]] as const)("under %s, interrupted, leaves no machine, key or file", async (firmware) => {
    const controller = new AbortController();
    const seen: { processes?: string[]; listening?: string; userData?: string } = {};
    const inspections: Promise<void>[] = [];
    let seedPort = "";
    const inspect = async () => {
      seen.processes = await processes();
      seen.listening = (await run("ss", ["-Hltn"], { doing: "listing listeners" })).stdout;
      seen.userData = await (await fetch(`http://127.0.0.1:${seedPort}/user-data`)).text();
      controller.abort();
    };
    const customizing = customize(
      { firmware: [firmware] },
      (text) => {
        seedPort = /^Starting HTTP server on port (\d+)/.exec(text)?.[1] ?? seedPort;
        if (text.startsWith("Waiting for SSH")) inspections.push(inspect());
      },
      controller.signal,
    );
    await expect(customizing).rejects.toMatchObject({ code: "interrupted" });
    await Promise.all(inspections);

    const machine = seen.processes?.find((line) => line.startsWith("/usr/bin/qemu-system-x86_64")) ?? "";
    expect(machine.includes("if=pflash")).toBe(firmware === "uefi");
    const sshPort = /hostfwd=tcp:127[.]0[.]0[.]1:(\d+)-:22/.exec(machine)?.[1];
    const addresses = (port: string | undefined) =>
      (seen.listening ?? "").split("\n").flatMap((line) => {
        const [, , , address = ""] = line.split(/\s+/);
        return address.endsWith(`:${port}`) ? [address] : [];
      });
    expect(addresses(sshPort)).toEqual([`127.0.0.1:${sshPort}`]);
    expect(addresses(seedPort)).toEqual([`127.0.0.1:${seedPort}`]);
    expect(seen.userData).toMatch(/^#cloud-config\n(.*\n)* {2}- ssh-ed25519 AAAA/);

    expect(await processes()).toEqual([]);
    expect(await readdir(folder)).toEqual(["scratch", "vendor.raw"]);
    expect(await readdir(join(folder, "scratch"))).toEqual([]);
  });

  it("refuses another architecture than that of the virtual machine", async () => {
    await expect(customize({ arch: "arm64" }, () => {})).rejects.toMatchObject({
      code: "arch-unsupported",
      kind: "configuration",
    });
    await expect(access(join(folder, "customized.raw"))).rejects.toMatchObject({ code: "ENOENT" });
  });
});
