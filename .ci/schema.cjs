// Checks schema.json with ajv, which other people's validators and editors use: it compiles, also in strict mode, takes every
// example, and says of every case of the tests of package spec what they say.
//
//   node schema.cjs SCHEMA CASES EXAMPLE...
//
// CASES is what go test ./spec -schema-cases=FILE writes.
const fs = require("node:fs");
const Ajv = require("ajv");
const yaml = require("yaml");

const [, , schemaFile, casesFile, ...examples] = process.argv;
const schema = JSON.parse(fs.readFileSync(schemaFile, "utf8"));
let failed = 0;
const fail = (what, errors) => {
  failed++;
  console.error(`${what}: ${errors ? JSON.stringify(errors) : "it is taken"}`);
};
const isDefaults = (name) => /(^|\/)_defaults\.ya?ml$/i.test(name);
const documents = (text) => yaml.parseAllDocuments(text).map((d) => d.toJS()).filter((d) => d !== null);

for (const strict of [true, false]) {
  const ajv = new Ajv({ strict, allErrors: true });
  ajv.addSchema(schema, "spec");
  const validatorOf = (part) => ajv.getSchema("spec" + part);
  const check = (what, part, text, valid) => {
    const validate = validatorOf(part);
    for (const doc of documents(text)) {
      if (validate(doc) !== valid) fail(`${what} (strict: ${strict})`, validate.errors);
    }
  };
  for (const name of examples) check(name, isDefaults(name) ? "#/definitions/defaults" : "", fs.readFileSync(name, "utf8"), true);
  for (const c of JSON.parse(fs.readFileSync(casesFile, "utf8"))) check(c.Name, c.Part, c.Text, c.Valid);
}
process.exit(failed > 0 ? 1 : 0);
