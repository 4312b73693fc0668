import { parentPort, workerData } from "node:worker_threads";
import { type CopyReply, type CopyRequest, toPlain } from "./copy-message.ts";
import { Qcow2Error } from "./error.ts";
import { type CopyJob, ShareCopier } from "./share-copier.ts";

// The thread that copyWithWorkers starts: one reply for each request, in order.
const job: CopyJob = workerData;
const copier = new ShareCopier(job);

parentPort?.on("message", (share: CopyRequest) => parentPort?.postMessage(answer(share)));

function answer(share: CopyRequest): CopyReply {
  try {
    return { dataBytes: copier.copy(share) };
  } catch (error) {
    if (error instanceof Qcow2Error) return { refused: toPlain(error) };
    throw error;
  }
}
