// Drives one MCP server with an official TypeScript client, as told by a job on
// standard input, and prints what the client returned.
//
//	{…as for connect.mjs…, "calls": [{"name": …, "arguments": {…}}]}
//
// prints {"tools": […], "results": [{"result": …} | {"error": …}]}.
import { text } from "node:stream/consumers";
import { connect } from "./connect.mjs";

const job = JSON.parse(await text(process.stdin));

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

const { client, start, close, callTool } = await connect(job);
await start();
const tools = await listTools(client);
const results = [];
for (const call of job.calls) {
  try {
    results.push({ result: await callTool(call) });
  } catch (error) {
    results.push({ error: { code: error.code, message: error.message, data: error.data } });
  }
}
await close();
console.log(JSON.stringify({ tools, results }));
