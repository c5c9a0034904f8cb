// Drives one MCP server with an official TypeScript client, as told by a job on
// standard input, and prints what the client returned.
//
//	{"client": "1.x" | "2.x", "mode": "legacy" | "2026-07-28",
//	 "command": …, "args": […], "env": {…}   or   "url": …,
//	 "calls": [{"name": …, "arguments": {…}}]}
//
// prints {"version": …, "tools": […], "results": [{"result": …} | {"error": …}]}.
import { text } from "node:stream/consumers";

const job = JSON.parse(await text(process.stdin));
const clientInfo = { name: "driver", version: "1.0.0" };

async function connect() {
  if (job.client === "1.x") {
    const { Client } = await import("@modelcontextprotocol/sdk/client/index.js");
    const { StdioClientTransport } = await import("@modelcontextprotocol/sdk/client/stdio.js");
    const { StreamableHTTPClientTransport } = await import("@modelcontextprotocol/sdk/client/streamableHttp.js");
    return open(new Client(clientInfo), StdioClientTransport, StreamableHTTPClientTransport);
  }
  const { Client, StreamableHTTPClientTransport } = await import("@modelcontextprotocol/client");
  const { StdioClientTransport } = await import("@modelcontextprotocol/client/stdio");
  const mode = job.mode === "legacy" ? "legacy" : { pin: job.mode };
  const client = new Client(clientInfo, { versionNegotiation: { mode } });
  return open(client, StdioClientTransport, StreamableHTTPClientTransport);
}

async function open(client, Stdio, Http) {
  const transport = job.url
    ? new Http(new URL(job.url))
    : new Stdio({ command: job.command, args: job.args, env: job.env, stderr: "ignore" });
  await client.connect(transport);
  return client;
}

async function listTools(client) {
  const tools = [];
  let cursor;
  do {
    const page = await client.listTools(cursor === undefined ? {} : { cursor });
    tools.push(...page.tools);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return tools;
}

const client = await connect();
const tools = await listTools(client);
const results = [];
for (const call of job.calls) {
  try {
    results.push({ result: await client.callTool(call) });
  } catch (error) {
    results.push({ error: { code: error.code, message: error.message, data: error.data } });
  }
}
await client.close();
console.log(JSON.stringify({ tools, results }));
