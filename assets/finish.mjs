// The last step of `npm run build`: compress what was built, and write down what it was built from. The test
// tests/templates/test_assets.py compares, so that a changed source is never committed without its output, and needs no Node.
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'

const top = new URL('../', import.meta.url)
const sources = ['editor.mjs', 'kept.mjs', 'package-lock.json', 'package.json', 'passkey.mjs', 'queue.mjs', 'reporter.mjs', 'result.mjs', 'site.mjs', 'site.scss', 'worker.mjs'].map((name) => `assets/${name}`)
const built = ['static/editor.js', 'static/passkey.js', 'static/queue.js', 'static/reporter.js', 'static/result.js', 'static/site.css', 'static/site.js', 'static/worker.js']
const stamp = {}

for (const name of built) {
  writeFileSync(new URL(`${name}.gz`, top), gzipSync(readFileSync(new URL(name, top)), { level: 9 }))
}
for (const name of [...sources, ...built]) {
  stamp[name] = createHash('sha256').update(readFileSync(new URL(name, top))).digest('hex')
}
writeFileSync(new URL('static/built-from.json', top), JSON.stringify(stamp, null, 2) + '\n')
