import { type ByteSource, readExactly, windowOf } from "../source.ts";
import { blockBytes } from "../tar/header.ts";
import { MemberReader, padded } from "../tar/member-reader.ts";
import { invalid } from "./invalid.ts";

const maximumMembers = 1000;

/**
 * The files of an OVA, in their order, each a part of the archive: nothing is unpacked. Data is not read, only skipped.
 * Source: DMTF, DSP0243, "Distribution as a Single File": the archive is a plain tar.
 * @throws Failure `ova-archive-invalid`, `image-truncated` (integrity)
 */
export async function listMembers(archive: ByteSource): Promise<ByteSource[]> {
  const refuse = (reason: string) => invalid(archive.name, "archive-invalid", reason);
  const reader = new MemberReader(refuse);
  const members = new Map<string, ByteSource>();
  for (let position = 0; ; ) {
    const step = reader.acceptBlock(await readExactly(archive, position, blockBytes, "a member's header"));
    position += blockBytes;
    if (step.kind === "end") return [...members.values()];
    if (step.kind === "record") {
      reader.acceptRecord(await readExactly(archive, position, step.sizeBytes, "a member's name"));
      position += padded(step.sizeBytes);
    }
    if (step.kind !== "member") continue;
    const { type, name, sizeBytes } = step.member;
    const shown = JSON.stringify(name.slice(0, 200));
    if (type !== "0") throw refuse(`${shown} is not a file`);
    if (name.startsWith("/") || name.split("/").includes("..")) throw refuse(`${shown} leads out of it`);
    if (members.has(name)) throw refuse(`it has ${shown} twice`);
    if (members.size === maximumMembers) throw refuse(`it has more than ${maximumMembers} members`);
    if (position + sizeBytes > archive.sizeBytes) throw refuse(`${shown} is cut short`);
    members.set(name, windowOf(archive, name, position, sizeBytes));
    position += padded(sizeBytes);
  }
}
