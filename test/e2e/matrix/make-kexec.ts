import { readdir } from "node:fs/promises";
import { run } from "../../../common/run.ts";
import { loadKernel, startKernel } from "../../../installer/boot/kexec.ts";

/** In the rescue system of an installed server: its kernel is loaded, its root file system released, and it is started. */
const doing = "starting the installed kernel";
const target = "/target";
const tell = (text: string) => void process.stdout.write(`${text}\n`);
await run("mount", ["--mkdir", "-o", "ro", "/dev/disk/by-partlabel/root", target], { doing });
const [kernel = ""] = await readdir(`${target}/lib/modules`);
await loadKernel({ kind: "load-kernel", name: "load-kernel", title: doing, target, kernel }, { doing }, tell);
await run("umount", [target], { doing });
await startKernel({ doing });
tell("released");
