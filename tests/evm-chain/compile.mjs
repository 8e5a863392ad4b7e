// Compiles the contracts into `compiled/`, two files for each, in hexadecimal digits: `.bin`, which deploys it, and
// `.runtime`, what then is deployed. Nothing is done when the sources and the compiler are those of the last time.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);
const settings = {
  evmVersion: "cancun",
  optimizer: { enabled: true, runs: 200 },
  // Nothing of the paths that were compiled gets into the code.
  metadata: { appendCBOR: false, bytecodeHash: "none" },
  outputSelection: { "*": { "*": ["evm.bytecode.object", "evm.deployedBytecode.object"] } },
};

const sources = {};
// The host has one of its own; a test compares its code with what is made here.
for (const folder of [join(here, "contracts"), join(here, "../../host/evm/src/pools")]) {
  for (const name of readdirSync(folder).sort()) {
    if (name.endsWith(".sol")) sources[name] = { content: readFileSync(join(folder, name), "utf8") };
  }
}
const version = require("solc/package.json").version;
const hash = createHash("sha256").update(JSON.stringify({ version, settings, sources })).digest("hex");
const compiled = join(here, "compiled");
const mark = join(compiled, "hash");

let last = "";
try {
  last = readFileSync(mark, "utf8");
} catch {
  // Nothing was compiled yet.
}
if (last !== hash) {
  const solc = require("solc");
  const output = JSON.parse(solc.compile(JSON.stringify({ language: "Solidity", sources, settings })));
  const problems = output.errors ?? [];
  for (const problem of problems) console.error(problem.formattedMessage);
  if (problems.length > 0) process.exit(1);

  // Others may compile at the same time, so the folder is put in place as a whole.
  const made = `${compiled}.${process.pid}`;
  mkdirSync(made, { recursive: true });
  for (const contracts of Object.values(output.contracts)) {
    for (const [name, contract] of Object.entries(contracts)) {
      writeFileSync(join(made, `${name}.bin`), contract.evm.bytecode.object);
      writeFileSync(join(made, `${name}.runtime`), contract.evm.deployedBytecode.object);
    }
  }
  writeFileSync(join(made, "hash"), hash);
  rmSync(compiled, { recursive: true, force: true });
  renameSync(made, compiled);
  console.log(`compiled ${Object.keys(sources).length} contracts with solc ${version}`);
}
