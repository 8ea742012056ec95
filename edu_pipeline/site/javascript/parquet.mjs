// What the table pages use of hyparquet, bundled into one file (assets/lib/parquet.mjs).
export { asyncBufferFromUrl, cachedAsyncBuffer, parquetMetadataAsync, parquetRead } from 'hyparquet'
export { compressors } from 'hyparquet-compressors'
