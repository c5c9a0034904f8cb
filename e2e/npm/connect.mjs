// Connects an official TypeScript client with the server that a job names:
//
//	{"client": "1.x" | "2.x", "mode": "legacy" | "2026-07-28",
//	 "command": …, "args": […], "env": {…}   or   "url": …}
//
// The two generations of the client differ in how they are built and told what
// to handle; what is returned is the same for both.
export async function connect(job, capabilities = {}) {
  const { Client, transports, schemas, options, close } = await library(job);
  const client = new Client({ name: "driver", version: "1.0.0" }, { capabilities, ...options });
  // 1.x wants a schema where 2.x wants a method.
  const of = (method) => schemas?.[method] ?? method;
  const transport = job.url
    ? new transports.http(new URL(job.url))
    : new transports.stdio({ command: job.command, args: job.args, env: job.env, stderr: "ignore" });
  return {
    client,
    handle: (method, handler) => client.setRequestHandler(of(method), handler),
    hear: (method, listener) => client.setNotificationHandler(of(method), listener),
    callTool: (params, options) => (schemas ? client.callTool(params, undefined, options) : client.callTool(params, options)),
    start: () => client.connect(transport),
    close: async () => {
      await client.close();
      close?.();
    },
  };
}

async function library(job) {
  if (job.client === "1.x") {
    const [{ Client }, stdio, http, types, tasks] = await Promise.all([
      import("@modelcontextprotocol/sdk/client/index.js"),
      import("@modelcontextprotocol/sdk/client/stdio.js"),
      import("@modelcontextprotocol/sdk/client/streamableHttp.js"),
      import("@modelcontextprotocol/sdk/types.js"),
      import("@modelcontextprotocol/sdk/experimental/tasks"),
    ]);
    const taskStore = new tasks.InMemoryTaskStore();
    return {
      Client,
      options: { taskStore },
      close: () => taskStore.cleanup(), // timers of hours
      transports: { stdio: stdio.StdioClientTransport, http: http.StreamableHTTPClientTransport },
      schemas: {
        "roots/list": types.ListRootsRequestSchema,
        "sampling/createMessage": types.CreateMessageRequestSchema,
        "elicitation/create": types.ElicitRequestSchema,
        "notifications/message": types.LoggingMessageNotificationSchema,
        "notifications/resources/updated": types.ResourceUpdatedNotificationSchema,
        "notifications/resources/list_changed": types.ResourceListChangedNotificationSchema,
      },
    };
  }
  const [{ Client, StreamableHTTPClientTransport: http }, { StdioClientTransport: stdio }] = await Promise.all([
    import("@modelcontextprotocol/client"),
    import("@modelcontextprotocol/client/stdio"),
  ]);
  const mode = job.mode === "legacy" ? "legacy" : { pin: job.mode };
  return { Client, transports: { stdio, http }, options: { versionNegotiation: { mode } } };
}
