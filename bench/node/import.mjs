// The way of the importers that this project replaces: csv-parse, and INSERTs of 1,000 rows through pg.
//
// node import.mjs FILE TABLE: FILE is the SSMSI's csv.gz, TABLE one like criminalite_2024, empty. The server is that of
// the environment (PGHOST, PGPORT, PGUSER, PGDATABASE).

import { createReadStream } from "node:fs";
import { createGunzip } from "node:zlib";
import { parse } from "csv-parse";
import pg from "pg";

const ROWS = 1000;
const COLUMNS = [
  "code_commune", "annee", "indicateur", "unite_de_compte", "nombre", "taux_pour_mille", "est_diffuse", "insee_pop",
  "insee_pop_millesime", "insee_log", "insee_log_millesime", "complement_info_nombre", "complement_info_taux",
];
const DECIMALS = new Set(["taux_pour_mille", "complement_info_nombre", "complement_info_taux"]);

const [file, table] = process.argv.slice(2);
const client = new pg.Client();
await client.connect();
const names = COLUMNS.map(pg.escapeIdentifier).join(", ");
const insert = `INSERT INTO ${table.split(".").map(pg.escapeIdentifier).join(".")} (${names}) VALUES `;

async function write(rows) {
  const places = rows.map((_, row) => `(${COLUMNS.map((_, column) => `$${row * COLUMNS.length + column + 1}`).join(", ")})`);
  await client.query(insert + places.join(", "), rows.flat());
}

function values(record) {
  return COLUMNS.map((column) => {
    const text = record[column];
    if (text === "NA" || text === "") return null;
    return DECIMALS.has(column) ? text.replace(",", ".") : text;
  });
}

const columns = (header) => header.map((name) => (name.startsWith("CODGEO_") ? "code_commune" : name.toLowerCase()));
let rows = [];
await client.query("BEGIN");
await client.query(`TRUNCATE ${table.split(".").map(pg.escapeIdentifier).join(".")}`);
for await (const record of createReadStream(file).pipe(createGunzip()).pipe(parse({ delimiter: ";", columns, bom: true }))) {
  rows.push(values(record));
  if (rows.length === ROWS) {
    await write(rows);
    rows = [];
  }
}
if (rows.length) await write(rows);
await client.query("COMMIT");
await client.end();
