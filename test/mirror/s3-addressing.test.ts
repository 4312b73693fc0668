import { randomUUID } from "node:crypto";
import dns from "node:dns";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { openStore } from "../../mirror/open-store.ts";
import { readS3Environment } from "../../mirror/s3-environment.ts";
import { cephDomain } from "../lab/ceph-configuration.ts";
import { startCephS3 } from "../lab/ceph-s3.ts";
import { collect } from "./gather.ts";
import { testStoreContract } from "./store-contract.ts";

const server = await startCephS3();
const directory = await mkdtemp(join(tmpdir(), "s3-addressing-"));
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});
const { credentials } = server;
const port = new URL(server.endpoint).port;
const endpoint = `http://${cephDomain}:${port}`;

/** Every host that was connected to. The server's domain and all below it are this machine. */
const hosts = new Set<string>();
const lookUp = dns.lookup;
vi.spyOn(dns, "lookup").mockImplementation(((host: string, ...rest: [object, () => void]) => {
  hosts.add(host);
  return lookUp(host === cephDomain || host.endsWith(`.${cephDomain}`) ? "127.0.0.1" : host, ...rest);
}) as typeof dns.lookup);

describe("a store whose bucket is a host", () => {
  const s3 = { endpoint, credentials, pathStyle: false };
  testStoreContract(
    async () => openStore(`s3://${await server.createBucket()}/mirror`, { s3 }),
    async () => openStore("s3://missing", { s3 }),
  );
});

describe("AWS's configuration file", () => {
  afterEach(() => vi.unstubAllEnvs());

  test.each([
    ["path", cephDomain],
    ["auto", cephDomain],
    ["virtual", `BUCKET.${cephDomain}`],
  ])("with addressing_style = %s has a bucket reached at %s", async (style, host) => {
    await configure(`[default]\nendpoint_url = ${endpoint}\ns3 =\n  addressing_style = ${style}\n`);
    const bucket = await server.createBucket();
    const store = openStore(`s3://${bucket}`, { s3: { credentials } });
    hosts.clear();
    await store.write("object", Buffer.from("hello"));
    expect(String(await collect(store.read("object")))).toBe("hello");
    expect([...hosts]).toEqual([host.replace("BUCKET", bucket)]);
  });

  test("says where the server is: what is said of S3 alone comes before the rest, and variables before both", async () => {
    await configure(
      `[default]\nservices = ours\nendpoint_url = http://a.test\n\n[services ours]\ns3 =\n  endpoint_url = http://b.test\n`,
    );
    expect(await readS3Environment()).toEqual({ endpoint: "http://b.test" });
    vi.stubEnv("AWS_ENDPOINT_URL", "http://c.test");
    expect(await readS3Environment()).toEqual({ endpoint: "http://c.test" });
    vi.stubEnv("AWS_ENDPOINT_URL_S3", "http://d.test");
    expect(await readS3Environment()).toEqual({ endpoint: "http://d.test" });
  });

  test("is read for the profile that is asked for", async () => {
    await configure(`[profile night]\nendpoint_url = http://night.test\ns3 =\n  addressing_style = virtual\n`);
    expect(await readS3Environment()).toEqual({});
    vi.stubEnv("AWS_PROFILE", "night");
    expect(await readS3Environment()).toEqual({ endpoint: "http://night.test", pathStyle: false });
  });

  test("with a style that there is not is refused before anything is sent", async () => {
    await configure(`[default]\ns3 =\n  addressing_style = vhost\n`);
    hosts.clear();
    await expect(openStore("s3://bucket", { s3: { credentials } }).stat("object")).rejects.toMatchObject({
      code: "addressing-style-unknown",
      kind: "configuration",
      message: expect.stringContaining("vhost"),
    });
    expect(hosts.size).toBe(0);
  });
});

async function configure(content: string): Promise<void> {
  // The SDK keeps each file that it has read.
  const file = join(directory, randomUUID());
  await writeFile(file, content);
  vi.stubEnv("AWS_CONFIG_FILE", file);
}
