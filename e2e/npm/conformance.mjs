// Runs the conformance suite: node conformance.mjs PACKAGE ARGUMENTS.
//
// The suite imports fs.globSync, which Node 20 does not have, for a command that
// is not used here. There, fs is given one more name.
import fs from "node:fs";
import { register } from "node:module";

if (!fs.globSync) {
  const wider = `data:text/javascript,export * from "node:fs"; export { default } from "node:fs"; export const globSync = undefined;`;
  const hooks = `export function resolve(name, context, next) {
    return name === "fs" ? { url: ${JSON.stringify(wider)}, shortCircuit: true } : next(name, context);
  }`;
  register(`data:text/javascript,${encodeURIComponent(hooks)}`);
}
const [suite, ...rest] = process.argv.slice(2);
process.argv = [process.argv[0], suite, ...rest];
await import(new URL(`node_modules/${suite}/dist/index.js`, import.meta.url));
