// Validates each state machine against the Amazon States Language, with its substitutions filled in.
// Usage: node validate-machines.mjs FOLDER-OF-NODE-MODULES FOLDER-OF-MACHINES
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const [modules, folder] = process.argv.slice(2);
const validate = createRequire(resolve(modules) + "/")("asl-validator");

let bad = 0;
for (const file of readdirSync(folder).filter((name) => name.endsWith(".asl.json"))) {
  const filled = readFileSync(join(folder, file), "utf8").replace(
    /\$\{(\w+)\}/g,
    (_, name) => `arn:aws:states:eu-west-1:123456789012:stateMachine:${name}`,
  );
  const { isValid, errors } = validate(JSON.parse(filled));
  console.log(`${isValid ? "valid" : "NOT VALID"}: ${file}`);
  if (!isValid) {
    bad += 1;
    for (const error of errors) console.log(`  ${error.Message ?? JSON.stringify(error)}`);
  }
}
process.exit(bad === 0 ? 0 : 1);
