import { blockBytes, decodeHeader, type Refuse, type TarHeader } from "./header.ts";
import { parsePaxRecords } from "./pax-records.ts";

/** A member of an archive, with all that the records before it say of its name and size. */
export interface TarMember {
  type: string;
  /** As bytes, one a character. */
  name: string;
  linkName: string;
  /** Of its data in the archive. */
  sizeBytes: number;
}

/** What a block means: how to go on. */
export type Step =
  | { kind: "member"; member: TarMember }
  /** So many bytes follow, padded to whole blocks, which `acceptRecord` wants. */
  | { kind: "record"; sizeBytes: number }
  | { kind: "again" }
  | { kind: "end" };

const maximumRecordBytes = 2 ** 20;
/** Keys that change where a member is or what follows it; for all members at once they would only mislead. */
const decisive = /^(path|linkpath|size|GNU\.sparse\..*)$/;

/**
 * Puts members together from an archive's blocks. It does not read: who has a stream and who can seek both use it.
 * @throws what `refuse` makes
 */
export class MemberReader {
  readonly #refuse: Refuse;
  #record: string | undefined;
  #longName: string | undefined;
  #longLink: string | undefined;
  #pax: Map<string, string> | undefined;
  #sparse: TarHeader | undefined;
  #zeroBlocks = 0;

  constructor(refuse: Refuse) {
    this.#refuse = refuse;
  }

  /** Takes the next block that is no data. */
  acceptBlock(block: Buffer): Step {
    if (this.#sparse) return this.#continueMap(this.#sparse, block);
    if (block.every((byte) => byte === 0)) return this.#acceptZeros();
    // GNU tar reads on after a single block of zeros, others stop there.
    if (this.#zeroBlocks > 0) throw this.#refuse("a block of zeros lies between members");
    const header = decodeHeader(block, this.#refuse);
    if (!"xgLK".includes(header.type)) return this.#acceptMember(header);
    if (header.sizeBytes === 0 || header.sizeBytes > maximumRecordBytes) {
      throw this.#refuse(`a record of type ${header.type} has ${header.sizeBytes} bytes`);
    }
    this.#record = header.type;
    return { kind: "record", sizeBytes: header.sizeBytes };
  }

  /** Takes the bytes of a record, without the padding. */
  acceptRecord(bytes: Buffer): void {
    if (this.#record === "g") {
      const [key] = [...parsePaxRecords(bytes, this.#refuse).keys()].filter((name) => decisive.test(name));
      if (key !== undefined) throw this.#refuse(`a global record sets ${JSON.stringify(key)} for all members`);
    } else if (this.#record === "x") {
      if (this.#pax) throw this.#refuse("two pax headers precede one member");
      this.#pax = parsePaxRecords(bytes, this.#refuse);
    } else if (this.#record === "L") {
      if (this.#longName !== undefined) throw this.#refuse("two long names precede one member");
      this.#longName = this.#text(bytes);
    } else {
      if (this.#longLink !== undefined) throw this.#refuse("two long link names precede one member");
      this.#longLink = this.#text(bytes);
    }
  }

  #acceptZeros(): Step {
    if (this.#pax || this.#longName !== undefined || this.#longLink !== undefined) {
      throw this.#refuse("it ends after a record, before the member");
    }
    this.#zeroBlocks += 1;
    return { kind: this.#zeroBlocks === 2 ? "end" : "again" };
  }

  #acceptMember(header: TarHeader): Step {
    if (header.mapContinues) {
      this.#sparse = header;
      return { kind: "again" };
    }
    const pax = this.#pax ?? new Map<string, string>();
    const member = {
      type: header.type,
      name: this.#choose("name", header.name, this.#longName, pax.get("path"), pax.get("GNU.sparse.name")),
      linkName: this.#choose("link", header.linkName, this.#longLink, pax.get("linkpath")),
      sizeBytes: this.#size(pax.get("size"), header.sizeBytes),
    };
    // Programs differ on whether data follows these ("ustar Interchange Format": for type 1 it may).
    if (member.sizeBytes > 0 && "123456".includes(member.type)) {
      throw this.#refuse(`${JSON.stringify(member.name)} is no file, and has data`);
    }
    this.#pax = undefined;
    this.#longName = undefined;
    this.#longLink = undefined;
    return { kind: "member", member };
  }

  /** An old GNU sparse file's map: blocks that say in byte 504 whether one more follows. */
  #continueMap(header: TarHeader, block: Buffer): Step {
    this.#sparse = undefined;
    return this.#acceptMember({ ...header, mapContinues: block[504] !== 0 });
  }

  /** Programs differ on which of two names counts. A sparse file's own name comes beside a made-up one. */
  #choose(what: string, short: string, long?: string, pax?: string, sparse?: string): string {
    if (long !== undefined && (pax !== undefined || sparse !== undefined)) {
      throw this.#refuse(`a member has a GNU and a pax ${what}`);
    }
    const chosen = sparse ?? pax ?? long ?? short;
    if (chosen.includes("\0")) throw this.#refuse(`a member's ${what} has a NUL in it`);
    return chosen;
  }

  #size(pax: string | undefined, short: number): number {
    if (pax === undefined) return short;
    const size = /^\d{1,16}$/.test(pax) ? Number(pax) : Number.NaN;
    if (!Number.isSafeInteger(size)) throw this.#refuse("a pax record's size is out of range");
    return size;
  }

  #text(bytes: Buffer): string {
    const nul = bytes.indexOf(0);
    const end = nul === -1 ? bytes.length : nul;
    if (bytes.subarray(end).some((byte) => byte !== 0)) throw this.#refuse("a long name has a NUL in it");
    return bytes.toString("latin1", 0, end);
  }
}

/** A length with its padding: data fills whole blocks. */
export function padded(sizeBytes: number): number {
  return Math.ceil(sizeBytes / blockBytes) * blockBytes;
}
