import { ByteWalk, type Walk } from "../byte-walk.ts";
import { blockBytes, type Refuse } from "./header.ts";
import { MemberReader, padded, type TarMember } from "./member-reader.ts";

const zeros = Buffer.alloc(2 ** 14);

/**
 * Watches an archive go by, and tells of each member as soon as its header has gone by in full. Data is not looked at.
 */
export class TarScanner {
  readonly #refuse: Refuse;
  readonly #walk: ByteWalk;

  /** @param refuse makes the error for an archive that is not taken; `onMember` may throw one too */
  constructor(refuse: Refuse, onMember: (member: TarMember) => void) {
    this.#refuse = refuse;
    this.#walk = new ByteWalk(walkMembers(refuse, onMember));
  }

  push(chunk: Uint8Array): void {
    if (!isZero(this.#walk.push(chunk))) throw this.#refuse("something follows its end");
  }

  /** To be called when no more comes. Cut at the end of a member, an archive would look whole to GNU tar. */
  end(): void {
    if (!this.#walk.mayEnd) throw this.#refuse("it is cut short");
  }
}

function* walkMembers(refuse: Refuse, onMember: (member: TarMember) => void): Walk {
  const reader = new MemberReader(refuse);
  for (;;) {
    const step = reader.acceptBlock(yield { take: blockBytes });
    if (step.kind === "end") return;
    if (step.kind === "record") {
      const bytes = yield { take: padded(step.sizeBytes) };
      reader.acceptRecord(bytes.subarray(0, step.sizeBytes));
    }
    if (step.kind === "member") {
      onMember(step.member);
      yield { skip: padded(step.member.sizeBytes) };
    }
  }
}

/** Archives are padded to whole records, and an archive of nothing but padding must not take for ever. */
function isZero(bytes: Buffer): boolean {
  for (let start = 0; start < bytes.length; start += zeros.length) {
    const part = bytes.subarray(start, start + zeros.length);
    if (part.compare(zeros, 0, part.length) !== 0) return false;
  }
  return true;
}
