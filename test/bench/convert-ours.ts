import { convertToRaw, openQcow2 } from "../../factory/qcow2-parser/index.ts";

/** convert-ours IMAGE DESTINATION: converts as a user of the parser does, in a process that can be measured. */
const [path = "", destination = ""] = process.argv.slice(2);
const image = await openQcow2(path);
try {
  await convertToRaw(image, destination);
} finally {
  await image.close();
}
