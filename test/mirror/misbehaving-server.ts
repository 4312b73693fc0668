import { createServer, type RequestListener } from "node:http";

export interface MisbehavingServer extends AsyncDisposable {
  url: string;
  /** How many requests came. */
  requests(): number;
}

/** An HTTP server on 127.0.0.1 that answers as the test wants. */
export async function startMisbehavingServer(answer: RequestListener): Promise<MisbehavingServer> {
  let requests = 0;
  const server = createServer((request, response) => {
    requests += 1;
    answer(request, response);
  });
  const listening = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", listening.resolve);
  await listening.promise;
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    requests: () => requests,
    async [Symbol.asyncDispose]() {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      server.closeAllConnections();
      await closed.promise;
    },
  };
}
