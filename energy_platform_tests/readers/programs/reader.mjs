// The Node client kept open: for each line on standard input, its answer on standard output.
import { createRequire } from "node:module";
import readline from "node:readline";

const [folder, database, ...queries] = process.argv.slice(2);
const { DuckDBInstance } = createRequire(`${folder}/`)("@duckdb/node-api");
const instance = await DuckDBInstance.create(database, { access_mode: "READ_ONLY" });
const connection = await instance.connect();

async function answer() {
  const values = [];
  for (const query of queries) {
    const reader = await connection.runAndReadAll(query);
    values.push(...reader.getRows()[0]);
  }
  return values.join(",");
}

for await (const _ of readline.createInterface({ input: process.stdin })) {
  try {
    console.log(await answer());
  } catch (error) {
    console.log(`error: ${String(error.message ?? error).replaceAll(/\s+/g, " ")}`);
  }
}
