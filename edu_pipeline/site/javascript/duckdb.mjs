// What the page for SQL uses of DuckDB, bundled into one file (assets/lib/duckdb.mjs).
export { AsyncDuckDB, ConsoleLogger, DuckDBDataProtocol, LogLevel, VoidLogger } from '@duckdb/duckdb-wasm'
