// Runs the suite, or some of its tests, through a proxy, and prints what came of each as JSON.
//
//   node run.mjs SUITE reverse|forward PROXY ORIGIN [--chunk N] [--trace] [ID...]
//
// PROXY and ORIGIN are host:port; ORIGIN is that of serve.mjs. A reverse proxy stands for the
// origin, a forward proxy is sent requests in absolute-form.
import path from 'node:path'
import { parseArgs } from 'node:util'
import { makeFetch } from './fetch.mjs'
import { judge } from './outcomes.mjs'

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    chunk: { type: 'string', default: '100' }, // tests at the same time
    trace: { type: 'boolean', default: false } // also say what is sent and received, to stderr
  }
})
const [suite, mode, proxy, origin, ...ids] = positionals
if (!['reverse', 'forward'].includes(mode)) throw new Error(`${mode} is no mode`)

const load = file => import(path.resolve(suite, file))
const { runTests, getResults } = await load('client/runner.mjs')
const sections = [
  ...(await load('tests/index.mjs')).default,
  (await load('tests/surrogate-control.mjs')).default
]

function chosen () {
  if (ids.length === 0) return sections
  const known = new Set(sections.flatMap(section => section.tests.map(test => test.id)))
  for (const id of ids) if (!known.has(id)) throw new Error(`the suite has no test ${id}`)
  return sections.map(section => (
    { ...section, tests: section.tests.filter(test => ids.includes(test.id)) }))
}

if (options.trace) {
  console.log = console.error
  sections.forEach(section => section.tests.forEach(test => { test.dump = true }))
}
const forward = mode === 'forward'
const fetch = makeFetch(new URL(`http://${proxy}`), forward)
await runTests(chosen(), fetch, false, `http://${forward ? origin : proxy}`, Number(options.chunk))
const tests = judge(sections, getResults()).filter(test => test.outcome !== 'untested')
process.stdout.write(JSON.stringify({ mode, tests }, null, 1) + '\n')
