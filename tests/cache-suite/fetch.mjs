// What the suite wants of fetch(), without a cache, redirects or decoding of its own. Each request
// has a connection of its own; field lines of one name are joined as the Fetch standard does it.
import http from 'node:http'

const TIMEOUT_MS = 20_000
const COMMON = [['Accept', '*/*'], ['Accept-Encoding', 'gzip,deflate'], ['User-Agent', 'cache-suite']]

class Fields {
  #values = new Map()

  constructor (raw) {
    for (let i = 0; i < raw.length; i += 2) {
      const name = raw[i].toLowerCase()
      const before = this.#values.get(name)
      this.#values.set(name, before === undefined ? raw[i + 1] : `${before}, ${raw[i + 1]}`)
    }
  }

  has (name) { return this.#values.has(name.toLowerCase()) }
  get (name) { return this.#values.get(name.toLowerCase()) ?? null }
  forEach (call) { this.#values.forEach((value, name) => call(value, name)) }
  [Symbol.iterator] () { return this.#values.entries() }
}

function fieldLines (init, authority) {
  const lines = {}
  const given = new Set(init.headers.map(([name]) => name.toLowerCase()))
  const common = COMMON.filter(([name]) => !given.has(name.toLowerCase()))
  for (const [name, value] of [['Host', authority], ...common, ...init.headers]) {
    (lines[name.toLowerCase()] ??= []).push(String(value))
  }
  lines.host = authority
  return lines
}

// A fetch() that sends all to a proxy: in absolute-form, or as if the proxy were the origin.
export function makeFetch (proxy, absolute) {
  return function fetch (url, init = {}) {
    const target = new URL(url)
    const options = {
      host: proxy.hostname,
      port: proxy.port,
      agent: false,
      method: init.method ?? 'GET',
      path: absolute ? target.href : target.pathname + target.search,
      headers: fieldLines({ headers: [], ...init }, target.host),
      timeout: TIMEOUT_MS
    }
    return new Promise((resolve, reject) => {
      const request = http.request(options, response => {
        const pieces = []
        response.on('data', piece => pieces.push(piece))
        response.on('error', reject)
        response.on('end', () => resolve({
          status: response.statusCode,
          statusText: response.statusMessage,
          headers: new Fields(response.rawHeaders),
          text: async () => Buffer.concat(pieces).toString()
        }))
      })
      request.on('timeout', () => request.destroy(new Error('no answer in time')))
      request.on('error', reject)
      request.end(init.body)
    })
  }
}
