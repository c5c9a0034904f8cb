// Puts definitions of tools to the model APIs' own clients, as told by a job on
// standard input:
//
//	{"styles": [{"api": …, "strict": …, "tools": …}], "names": [NAME…]}
//
// tools is the value of that member of a request. Nothing is sent anywhere: a fetch of
// this script's own takes the requests, and answers that the model wants the tools of
// these names called, as the APIs answer.
//
// It prints {"problems": […], "said": {API: MESSAGE}}. A problem is {style, tool, text}:
// what a client would not send as it is, and what a client's own maker of strict schemas
// would change or refuse in one that is strict. said is what the clients made of the
// model's answer.
import { text } from "node:stream/consumers";
import { isDeepStrictEqual } from "node:util";
import OpenAI from "openai";
import { toStrictJsonSchema } from "openai/lib/transform";
import Anthropic from "@anthropic-ai/sdk";
import { transformJSONSchema } from "@anthropic-ai/sdk/lib/transform-json-schema";
import { GoogleGenAI } from "@google/genai";

const job = JSON.parse(await text(process.stdin));
const args = { a: 19, b: 23 };

// What the APIs answer.
const answers = {
  openai: {
    id: "chatcmpl-1", object: "chat.completion", created: 1, model: "m",
    choices: [{
      index: 0, finish_reason: "tool_calls", logprobs: null,
      message: {
        role: "assistant", content: null, refusal: null,
        tool_calls: job.names.map((name, i) => ({ id: `call_${i}`, type: "function", function: { name, arguments: JSON.stringify(args) } })),
      },
    }],
  },
  "openai-responses": {
    id: "resp_1", object: "response", created_at: 1, status: "completed", model: "m",
    output: [
      { type: "reasoning", id: "rs_1", summary: [] },
      ...job.names.map((name, i) => ({
        type: "function_call", id: `fc_${i}`, call_id: `call_${i}`, status: "completed", name, arguments: JSON.stringify(args),
      })),
    ],
  },
  anthropic: {
    id: "msg_1", type: "message", role: "assistant", model: "m", stop_reason: "tool_use", stop_sequence: null,
    usage: { input_tokens: 1, output_tokens: 1 },
    content: [
      { type: "text", text: "I will.", citations: null },
      ...job.names.map((name, i) => ({ type: "tool_use", id: `toolu_${i}`, name, input: args, caller: { type: "direct" } })),
    ],
  },
  gemini: {
    candidates: [{
      index: 0, finishReason: "STOP",
      content: { role: "model", parts: [{ text: "I will." }, ...job.names.map((name) => ({ functionCall: { name, args } }))] },
    }],
  },
};

// through runs f with a fetch that answers so, and returns the tools that were sent, and
// what f returned.
async function through(answer, f) {
  let sent;
  const fetch = async (_, options) => {
    sent = JSON.parse(options.body).tools;
    return new Response(JSON.stringify(answer), { headers: { "content-type": "application/json" } });
  };
  const usual = globalThis.fetch;
  globalThis.fetch = fetch; // Gemini's client takes no other
  try {
    const returned = await f(fetch);
    return { sent, returned };
  } finally {
    globalThis.fetch = usual;
  }
}

const user = { role: "user", content: "19 and 23?" };

// How a request with tools is made, and where the message of the model is in what comes
// back.
const apis = {
  openai: async (fetch, tools) => {
    const client = new OpenAI({ apiKey: "none", fetch });
    return (await client.chat.completions.create({ model: "m", messages: [user], tools })).choices[0].message;
  },
  "openai-responses": async (fetch, tools) => {
    const client = new OpenAI({ apiKey: "none", fetch });
    const { output } = await client.responses.create({ model: "m", input: [user], tools });
    return { output };
  },
  anthropic: async (fetch, tools) => {
    const client = new Anthropic({ apiKey: "none", fetch });
    const { role, content } = await client.messages.create({ model: "m", max_tokens: 9, messages: [user], tools });
    return { role, content };
  },
  gemini: async (_, tools) => {
    const client = new GoogleGenAI({ apiKey: "none" });
    const response = await client.models.generateContent({ model: "m", contents: user.content, config: { tools } });
    return response.candidates[0].content;
  },
};

// Where a definition has its schema, and what the client makes of one that is to be
// strict.
const strictness = {
  openai: [(tool) => tool.function, (f) => f.parameters, toStrictJsonSchema],
  "openai-responses": [(tool) => tool, (tool) => tool.parameters, toStrictJsonSchema],
  anthropic: [(tool) => tool, (tool) => bare(tool.input_schema), transformJSONSchema],
};

// A schema without what Anthropic's maker puts elsewhere, though it narrows nothing: the
// dialect, a default, and the type of an enumeration of one type. Of the two words for
// definitions, which the API takes both, the maker knows only the newer one.
function bare(schema) {
  if (typeof schema !== "object" || schema === null) return schema;
  const entries = Object.entries(schema)
    .map(([key, value]) => [key === "definitions" ? "$defs" : key, key === "$ref" ? value.replace("#/definitions/", "#/$defs/") : value])
    .filter(([key]) => !["$schema", "default"].includes(key))
    .filter(([key]) => !(key === "type" && ("enum" in schema || "const" in schema)))
    .map(([key, value]) => {
      if (["properties", "$defs"].includes(key)) {
        return [key, Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, bare(inner)]))];
      }
      if (["anyOf", "allOf"].includes(key)) return [key, value.map(bare)];
      return [key, key === "items" ? bare(value) : value];
    });
  return Object.fromEntries(entries);
}

const problems = [];
const said = {};
for (const { api, strict, tools } of job.styles) {
  const style = strict ? `${api}, strict` : api;
  const { sent, returned } = await through(answers[api], (fetch) => apis[api](fetch, structuredClone(tools)));
  said[api] = returned;
  if (!isDeepStrictEqual(sent, tools)) {
    problems.push({ style, tool: "", text: `the client sends ${JSON.stringify(sent)?.slice(0, 500)}` });
  }
  if (!strict) continue;
  const [inner, schemaOf, make] = strictness[api];
  for (const definition of tools.map(inner).filter((d) => d.strict)) {
    const schema = schemaOf(definition);
    try {
      const made = make(structuredClone(schema));
      if (!isDeepStrictEqual(schema, made)) {
        problems.push({ style, tool: definition.name, text: `${JSON.stringify(schema)} is made ${JSON.stringify(made)}` });
      }
    } catch (error) {
      problems.push({ style, tool: definition.name, text: `${JSON.stringify(schema)}: ${error.message}` });
    }
  }
}
console.log(JSON.stringify({ problems, said }));
