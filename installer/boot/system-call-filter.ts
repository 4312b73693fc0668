/**
 * Which system calls programs behind the fence may make: a classic BPF program for seccomp(2). What capabilities guard is
 * left to them; this is for what needs none, and for what CAP_SYS_ADMIN opens where a program must have it. Numbers are
 * those of x86-64 (Linux, arch/x86/entry/syscalls/syscall_64.tbl), which is what images are made for.
 */

/** A mount could show what the fence hides, another namespace leads out of it. */
const refused = {
  mount: 165,
  umount2: 166,
  pivot_root: 155,
  open_tree: 428,
  move_mount: 429,
  fsopen: 430,
  fsconfig: 431,
  fsmount: 432,
  fspick: 433,
  mount_setattr: 442,
  open_tree_attr: 467,
  setns: 308,
  unshare: 272,
  open_by_handle_at: 304,
  bpf: 321,
  perf_event_open: 298,
  fanotify_init: 300,
  swapon: 167,
  swapoff: 168,
  quotactl: 179,
  quotactl_fd: 443,
  /** The kernel's log begins with the rescue system's command line. */
  syslog: 103,
};

/**
 * Programs take these for a kernel's that is older, or built without them, and do it another way. Root's keys are the
 * rescue system's; of clone3(2) a filter cannot see which namespaces it asks for, of io_uring(7) not what it does.
 */
const unknown = { add_key: 248, request_key: 249, keyctl: 250, io_uring_setup: 425, clone3: 435 };

const ioctl = 16;
const clone = 56;

/** All CLONE_NEW* flags: clone(2). */
const newNamespaces = 0x7e020000;

/**
 * Of ioctl(2), by type, the numbers of those that only read; without this, who may speak to the device mapper or to an
 * array could have it write to any disk. Device mapper (linux/dm-ioctl.h): version, list, status, dependencies, tables
 * and targets' versions. md (linux/raid/md_u.h): version, array, disk, bitmap. NVMe (linux/nvme_ioctl.h): the namespace's
 * number, since commands to a controller reach all of its namespaces.
 */
const reading: readonly { type: number; numbers: readonly number[] }[] = [
  { type: 0xfd, numbers: [0, 2, 7, 8, 11, 12, 13, 17] },
  { type: 0x09, numbers: [0x10, 0x11, 0x12, 0x15] },
  { type: 0x4e, numbers: [0x40] },
];

// linux/bpf_common.h: opcodes.
const load = 0x20;
const and = 0x54;
const shiftRight = 0x74;
const jumpIfEqual = 0x15;
const jumpIfAtLeast = 0x35;
const jumpIfAnySet = 0x45;
const answer = 0x06;

// linux/seccomp.h: what the kernel does, and where it puts what it asks about.
const killProcess = 0x80000000;
const allow = 0x7fff0000;
const errno = (number: number) => 0x00050000 | number;
const notPermitted = errno(1);
const notImplemented = errno(38);
const callNumber = 0;
const architecture = 4;
const argument = (index: number) => 16 + 8 * index;

/** linux/audit.h, AUDIT_ARCH_X86_64. */
const x86_64 = 0xc000003e;
/** Calls of the x32 ABI are numbered from here: the same ones once more. */
const x32 = 0x40000000;

type Instruction = readonly [code: number, value: number, ifTrue?: number, ifFalse?: number];

const returning = (value: number): Instruction => [answer, value];
/** The next instruction is for this value, the one after it for all others. */
const ifEqual = (value: number): Instruction => [jumpIfEqual, value, 0, 1];

function instructions(): Instruction[] {
  return [
    [load, architecture],
    [jumpIfEqual, x86_64, 1, 0],
    returning(killProcess),
    [load, callNumber],
    [jumpIfAtLeast, x32, 0, 1],
    returning(notImplemented),
    ...Object.values(refused).flatMap((number) => [ifEqual(number), returning(notPermitted)]),
    ...Object.values(unknown).flatMap((number) => [ifEqual(number), returning(notImplemented)]),
    [jumpIfEqual, clone, 0, 4],
    [load, argument(0)],
    [jumpIfAnySet, newNamespaces, 0, 1],
    returning(notPermitted),
    returning(allow),
    [jumpIfEqual, ioctl, 1, 0],
    returning(allow),
    ...reading.flatMap(({ type, numbers }): Instruction[] => [
      // asm-generic/ioctl.h: eight bits of number, above them eight of type.
      [load, argument(1)],
      [shiftRight, 8],
      [and, 0xff],
      [jumpIfEqual, type, 0, 3 + 2 * numbers.length],
      [load, argument(1)],
      [and, 0xff],
      ...numbers.flatMap((number) => [ifEqual(number), returning(allow)]),
      returning(notPermitted),
    ]),
    returning(allow),
  ];
}

/** @returns `struct sock_filter`, one after the other (linux/filter.h) */
export function systemCallFilter(): Buffer {
  const encoded = instructions().map(([code, value, ifTrue = 0, ifFalse = 0]) => {
    const bytes = Buffer.alloc(8);
    bytes.writeUInt16LE(code, 0);
    bytes.writeUInt8(ifTrue, 2);
    bytes.writeUInt8(ifFalse, 3);
    bytes.writeUInt32LE(value, 4);
    return bytes;
  });
  return Buffer.concat(encoded);
}
