// The mode "pyodide" of benchmarks/sandbox.py: the line protocol of sandbox_serve.py, in node.
// usage (by benchmarks/sandbox.py only): node sandbox_pyodide.mjs PEERS/pyodide pyodide < requests > replies
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const folder = process.argv[2];
const home = join(folder, "node_modules", "pyodide");
let pyodide;
let printed = [];

async function start() {
  const { loadPyodide, version } = await import(pathToFileURL(join(home, "pyodide.mjs")));
  pyodide = await loadPyodide({ indexURL: home });
  pyodide.setStdout({ batched: (line) => printed.push(line) });
  const versions = { pyodide: version, node: process.versions.node };
  for (const name of readdirSync(join(folder, "wheels")).sort()) {
    pyodide.unpackArchive(new Uint8Array(readFileSync(join(folder, "wheels", name))), "wheel");
    versions[name.split("-")[0]] = name.split("-")[1];
  }
  versions.python = pyodide.runPython("import platform; platform.python_version()");
  return { versions };
}

function run(code) {
  printed = [];
  const cpu = process.cpuUsage();
  const began = process.hrtime.bigint();
  pyodide.runPython(code);
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  const used = process.cpuUsage(cpu);
  return { seconds, client_cpu_s: (used.user + used.system) / 1e6, printed: printed.join("\n") };
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  let reply;
  try {
    if (request.op === "start") reply = await start();
    else reply = request.op === "nothing" ? {} : run(request.code);
  } catch (error) {
    reply = { error: String(error).slice(-500) };
  }
  process.stdout.write(JSON.stringify(reply) + "\n");
}
process.exit(0);
