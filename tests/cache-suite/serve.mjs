// The origin server of the suite: its own handlers, on a free port of the loopback, which is printed.
//
//   node serve.mjs SUITE
//
// It ends when its standard input does. What the handlers say goes to standard error.
import http from 'node:http'
import path from 'node:path'

console.log = console.error
process.stdin.on('end', () => process.exit()).resume()

const suite = path.resolve(process.argv[2])
const handlers = new Map()
for (const name of ['config', 'test', 'state']) {
  handlers.set(name, (await import(`${suite}/server/handle-${name}.mjs`)).default)
}

const server = http.createServer((request, response) => {
  const [, kind, ...rest] = new URL(request.url, 'http://origin').pathname.split('/')
  const handle = handlers.get(kind)
  if (handle) {
    handle(rest, request, response)
  } else {
    response.writeHead(404).end()
  }
})
server.listen(0, '127.0.0.1', 4096, () => process.stdout.write(`${server.address().port}\n`))
