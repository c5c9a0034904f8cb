// Goes through a list of steps with one MCP server and an official TypeScript
// client, which can all that a host can, and prints what each step has brought.
//
//	{…as for connect.mjs…, "capabilities": {…}, "roots": […], "steps": [{
//	  "do": …,            a method, or "roots": from now on those in params are the host's
//	  "params": {…},
//	  "answers": [{…}],   what is answered to the questions of the step, in their order
//	  "awaits": […],      texts; for each of them something is told or asked that has it
//	  "progress": true,   of a call: progress is asked for
//	  "cancel": true,     of a call: it is cancelled when the first progress comes
//	  "task": true        of a call: it is made as a task (2025-11-25)
//	}]}
//
// prints an array for each step, and one of what came after the last one, of
// {"asked": method, "params": …}, {"told": method, "params": …},
// {"progress": …}, {"task": status}, {"result": …} and {"error": …}.
import { text } from "node:stream/consumers";
import { connect } from "./connect.mjs";

const job = JSON.parse(await text(process.stdin));
const { client, start, close, callTool, handle, hear } = await connect(job, job.capabilities);

// What has happened in the step at hand.
let events = [];
let answers = [];
let roots = job.roots;
let awaiting = () => {};

function note(event) {
  events.push(event);
  awaiting();
}

// happened waits until something has been told or asked that has the text in it.
function happened(text) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`waited in vain for ${text}: ${JSON.stringify(events)}`)), 20_000);
    awaiting = () => {
      if (events.some((event) => JSON.stringify(event).includes(text))) {
        clearTimeout(late);
        resolve();
      }
    };
    awaiting();
  });
}

async function question(request, extra) {
  note({ asked: request.method, params: request.params });
  const answer = answers.shift();
  if (answer === undefined) throw new Error("the host has no answer");
  if (!request.params.task) return answer;
  const task = await extra.taskStore.createTask({ ttl: request.params.task.ttl, pollInterval: 100 });
  await extra.taskStore.storeTaskResult(task.taskId, "completed", answer);
  return { task };
}

const list = {
  "tools/list": (params) => client.listTools(params, { cacheMode: "refresh" }),
  "prompts/list": (params) => client.listPrompts(params),
  "resources/list": (params) => client.listResources(params, { cacheMode: "refresh" }),
  "resources/templates/list": (params) => client.listResourceTemplates(params),
};

// untilListed lists until there is a tool: the first list of a weir waits 5 s for
// a server that it does not know, and servers have taken longer to start.
async function untilListed() {
  for (let tries = 0; ; tries++) {
    const whole = await all("tools/list");
    if (whole.tools.length > 0 || tries === 300) return whole;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function all(method) {
  const { nextCursor, ...whole } = await list[method]({});
  const items = Object.keys(whole).find((key) => Array.isArray(whole[key]));
  for (let cursor = nextCursor; cursor !== undefined; ) {
    const page = await list[method]({ cursor });
    whole[items].push(...page[items]);
    cursor = page.nextCursor;
  }
  return whole;
}

async function call(step) {
  const abort = new AbortController();
  const options = { signal: abort.signal };
  if (step.progress || step.cancel) {
    options.onprogress = (progress) => {
      note({ progress });
      if (step.cancel) abort.abort("enough");
    };
  }
  if (step.task) return callAsTask(step.params, options);
  return callTool(step.params, options);
}

async function callAsTask(params, options) {
  for await (const message of client.experimental.tasks.callToolStream(params, undefined, { ...options, task: {} })) {
    if (message.type === "result") return message.result;
    if (message.type === "error") throw message.error;
    note({ task: message.task.status });
  }
}

// In the modern era subscriptions are a stream.
let stream;

async function subscribe(params) {
  if (job.mode === "legacy") return client.subscribeResource(params);
  stream = await client.listen({ resourceSubscriptions: [params.uri], resourcesListChanged: true });
  return {};
}

async function unsubscribe(params) {
  if (job.mode === "legacy") return client.unsubscribeResource(params);
  await stream.close();
  return {};
}

async function changeRoots(params) {
  roots = params.roots;
  await client.sendRootsListChanged();
  return {};
}

const listing = Object.fromEntries(Object.keys(list).map((method) => [method, () => all(method)]));
listing["tools/list"] = untilListed;

const tasks = {
  "tasks/list": () => client.experimental.tasks.listTasks(),
};

const methods = {
  "tools/call": (params, step) => call(step),
  "resources/read": (params) => client.readResource(params),
  "prompts/get": (params) => client.getPrompt(params),
  "completion/complete": (params) => client.complete(params),
  "logging/setLevel": (params) => client.setLoggingLevel(params.level),
  "resources/subscribe": subscribe,
  "resources/unsubscribe": unsubscribe,
  ping: () => client.ping(),
  roots: changeRoots,
  ...listing,
  ...tasks,
};

async function take(step) {
  answers = step.answers ?? [];
  try {
    const result = await methods[step.do](step.params, step);
    note({ result });
  } catch (error) {
    note({ error: { code: error.code, message: error.message, data: error.data } });
  }
  for (const text of step.awaits ?? []) await happened(text);
}

const asks = { "sampling/createMessage": "sampling", "elicitation/create": "elicitation" };
for (const [method, capability] of Object.entries(asks)) {
  if (job.capabilities[capability]) handle(method, question);
}
if (job.capabilities.roots) handle("roots/list", () => {
  note({ asked: "roots/list" });
  return { roots };
});
for (const method of ["notifications/message", "notifications/resources/updated", "notifications/resources/list_changed"]) {
  hear(method, (notification) => note({ told: method, params: notification.params }));
}

await start();
const told = [];
for (const step of job.steps) {
  await take(step);
  told.push(events.splice(0));
}
await close();
console.log(JSON.stringify([...told, events]));
