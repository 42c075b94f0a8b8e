// Sends one report with node's coap and prints the code of the answer.
//   node post.js coap://127.0.0.1:5683/th/a1 50 con '{"t":21.5}'
const coap = require('coap')

const [url, format, kind, payload] = process.argv.slice(2)
const { hostname, port, pathname, search } = new URL(url)
const request = coap.request({
  hostname,
  port: port || 5683,
  pathname,
  query: search.slice(1),
  method: 'POST',
  confirmable: kind === 'con'
})
const bytes = Buffer.alloc(2)
bytes.writeUInt16BE(Number(format))
request.setOption('Content-Format', bytes)
request.on('response', (response) => {
  console.log(response.code)
  process.exit(0)
})
request.on('error', (error) => {
  console.error(error.message)
  process.exit(1)
})
setTimeout(() => {
  console.error('no answer within 10 s')
  process.exit(1)
}, 10000).unref()
request.end(payload.startsWith('hex:') ? Buffer.from(payload.slice(4), 'hex') : payload)
