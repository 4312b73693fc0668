import { mkdtemp, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";
import { run } from "../../common/run.ts";
import type { Bench } from "./measure.ts";
import { writeSystemDisk } from "./system-disk.ts";

const diskBytes = 2 ** 30;

/** Arguments of qemu-img that make each image, and what ours may take of QEMU's time. */
const images = {
  zlib: { make: ["convert", "-c", "-O", "qcow2", "-o", "compression_type=zlib"], target: 1 },
  zstd: { make: ["convert", "-c", "-O", "qcow2", "-o", "compression_type=zstd"], target: 1 },
  plain: { make: ["convert", "-O", "qcow2"], target: 1.3 },
};

export const convertBench: Bench = {
  async *compare() {
    const directory = await mkdtemp("/var/tmp/bench-convert-");
    try {
      const program = await compile(directory);
      const disk = join(directory, "disk.raw");
      await writeSystemDisk(disk, diskBytes);
      for (const [name, { make, target }] of Object.entries(images)) {
        const image = join(directory, `${name}.qcow2`);
        await run("qemu-img", [...make, "-f", "raw", disk, image], { doing: `making a ${name} image` });
        yield compareOne(`qcow2 to raw, ${name}`, program, image, target);
        await rm(image);
      }
      const empty = join(directory, "empty.qcow2");
      await run("qemu-img", ["create", "-q", "-f", "qcow2", empty, "1T"], { doing: "making an empty image" });
      yield compareOne("qcow2 to raw, 1 TiB of nothing", program, empty);
    } finally {
      await rm(directory, { recursive: true });
    }
  },
};

function compareOne(title: string, program: string, image: string, target?: number) {
  const output = `${image}.raw`;
  const prepare = async () => {
    await rm(output, { force: true });
    await warmMemory(`${image}.warm`);
  };
  const qemu = ["convert", "-m", "8", "-W", "-f", "qcow2", "-O", "raw", image, output];
  return {
    title,
    ours: { name: "metalcast", command: [process.execPath, program, image, output] as const, prepare },
    peers: [
      {
        name: "qemu-img -m 8 -W",
        command: ["qemu-img", ...qemu] as const,
        prepare,
        ...(target !== undefined && { target }),
      },
    ],
  };
}

/** As in the package: JavaScript, with the worker's file beside the rest. Node takes its time to strip types. */
async function compile(directory: string): Promise<string> {
  const worker = join(import.meta.dirname, "../../factory/qcow2-parser/copy-worker.ts");
  await build({
    entryPoints: [join(import.meta.dirname, "convert-ours.ts"), worker],
    outdir: directory,
    entryNames: "[name]",
    outExtension: { ".js": ".mjs" },
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node24",
  });
  return join(directory, "convert-ours.mjs");
}

/**
 * Writes as much as an output, and takes it away. In a virtual machine, memory that was free for a while has to be
 * brought back by the host when it is used, which takes longer than the conversion: so all start with memory in use a
 * moment ago.
 */
async function warmMemory(path: string): Promise<void> {
  const file = await open(path, "w");
  const block = Buffer.alloc(2 ** 16);
  for (let written = 0; written < diskBytes; written += block.length) await file.write(block);
  await file.close();
  await rm(path);
}
