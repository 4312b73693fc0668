/** The line by which a guest shows that its kernel has come to its first program. */
export const guestLine = "metalcast: the guest is running";

/**
 * The initramfs of a guest, whose only program says one line to the console and switches off: cpio "newc" as in Linux,
 * Documentation/driver-api/early-userspace/buffer-format.rst. The kernel brings /dev/console along by itself.
 */
export function buildGuestInitramfs(): Buffer {
  return Buffer.concat([member("init", 0o100755, buildInit()), member("TRAILER!!!", 0, Buffer.alloc(0))]);
}

function member(name: string, mode: number, content: Buffer): Buffer {
  const path = Buffer.from(`${name}\0`);
  const fields = [1, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, path.length, 0];
  const head = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`;
  return Buffer.concat([pad(Buffer.concat([Buffer.from(head), path])), pad(content)]);
}

/** Names and contents end at a multiple of four bytes. */
function pad(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}

const loadAddress = 0x400000;
const headerBytes = 64 + 56;

/** An ELF program for x86-64, small enough to be written by hand: System V ABI, and reboot(2) for its numbers. */
function buildInit(): Buffer {
  const text = Buffer.from(`${guestLine}\n`);
  const code = (message: number) =>
    Buffer.concat([
      Buffer.from([0xb8, 1, 0, 0, 0, 0xbf, 1, 0, 0, 0, 0x48, 0xbe]), // write(1,
      word(message, 8), // message,
      Buffer.from([0xba]),
      word(text.length, 4), // length)
      Buffer.from([0x0f, 0x05]),
      Buffer.from([0xb8, 169, 0, 0, 0, 0xbf]), // reboot(
      word(0xfee1dead, 4), // LINUX_REBOOT_MAGIC1,
      Buffer.from([0xbe]),
      word(672274793, 4), // LINUX_REBOOT_MAGIC2,
      Buffer.from([0xba]),
      word(0x01234567, 4), // LINUX_REBOOT_CMD_RESTART)
      Buffer.from([0x0f, 0x05, 0xeb, 0xfe]),
    ]);
  const start = loadAddress + headerBytes;
  const body = Buffer.concat([code(start + code(0).length), text]);
  const sizeBytes = headerBytes + body.length;
  const header = Buffer.concat([
    Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    ...[word(2, 2), word(62, 2), word(1, 4), word(start, 8), word(64, 8), word(0, 8)],
    ...[word(0, 4), word(64, 2), word(56, 2), word(1, 2), word(0, 2), word(0, 2), word(0, 2)],
    ...[word(1, 4), word(5, 4), word(0, 8), word(loadAddress, 8), word(loadAddress, 8)],
    ...[word(sizeBytes, 8), word(sizeBytes, 8), word(0x1000, 8)],
  ]);
  return Buffer.concat([header, body]);
}

function word(value: number, bytes: 2 | 4 | 8): Buffer {
  const made = Buffer.alloc(bytes);
  made.writeUIntLE(value, 0, Math.min(bytes, 6));
  return made;
}
