// The live page: three networks answer for a picture, in the reader's browser.
const at = name => new URL(name, import.meta.url).href
const heads = [['teacher', 'probs'], ['student', 'probs'], ['hdkd', 'probs'], ['hdkd', 'cls_probs'], ['hdkd', 'dist_probs']]
const columns = ['teacher', 'student alone', 'HDKD', 'its class token', 'its distillation token']
const root = document.querySelector('.live'), status = root.querySelector('[role=status]'), result = root.querySelector('.live-result')
const percent = p => `${(100*p).toFixed(1)}%`
export const shown = {} // pixels: what the networks saw; of each network: outputs by name and milliseconds, as arrays and numbers

// Loaded with the first picture, and kept
let loading, about, sessions
async function load() {
  const fetched = async name => {
    const response = await fetch(at(name))
    if (!response.ok) throw Error(`${name}: ${response.status}`)
    return response
  }
  const ort = await import(at('../ort.wasm.bundle.min.mjs'))
  ort.env.wasm.numThreads = 1 // more would need headers that plain file servers do not send
  about = await (await fetched('networks.json')).json()
  const tensor = bytes => new ort.Tensor('uint8', bytes, [1, 1, about.size, about.size]), ready = {}
  for (const name in about.networks) {
    ready[name] = await ort.InferenceSession.create(new Uint8Array(await (await fetched(`${name}.onnx`)).arrayBuffer()))
    await ready[name].run({pixels: tensor(new Uint8Array(about.size**2))}) // the first run prepares the later ones
  }
  sessions = ready
  return tensor
}

function canvas(width, height = width) { return Object.assign(document.createElement('canvas'), {width, height}) }

// Opened as the package opens files: upright, colours as stored, grey first, then resized as Pillow does with Image.BILINEAR
const opened = source => createImageBitmap(source, {imageOrientation: 'from-image', colorSpaceConversion: 'none'})

// Of each of the networks' pixels along a side: where its triangle begins on a side of n pixels, and what each pixel under it counts, in 2^-22
function triangles(n) {
  const scale = n/about.size, reach = Math.max(scale, 1)
  return Array.from({length: about.size}, (_, i) => {
    const centre = (i + .5)*scale, first = Math.max(Math.trunc(centre - reach + .5), 0), end = Math.min(Math.trunc(centre + reach + .5), n)
    const counts = Array.from({length: end - first}, (_, j) => Math.max(1 - Math.abs((first + j - centre + .5)*(1/reach)), 0))
    const sum = counts.reduce((a, b) => a + b)
    return [first, counts.map(o => Math.trunc(.5 + o/sum*2**22))]
  })
}
const resized = (line, all) => all.map(([first, counts]) => counts.reduce((sum, o, j) => sum + o*line[first + j], 2**21) >> 22)

function greyBytes(source) {
  const {width, height} = source
  const rows = [], across = triangles(width), tall = 256 // rows at a time: phones refuse large canvases
  const ctx = canvas(width, Math.min(tall, height)).getContext('2d', {willReadFrequently: true})
  for (let top = 0; top < height; top += tall) {
    const h = Math.min(tall, height - top)
    ctx.clearRect(0, 0, width, h)
    ctx.drawImage(source, 0, top, width, h, 0, 0, width, h)
    const rgba = ctx.getImageData(0, 0, width, h).data, grey = new Uint8Array(width*h)
    for (let i = 0, k = 0; i < grey.length; i++, k += 4) grey[i] = (19595*rgba[k] + 38470*rgba[k+1] + 7471*rgba[k+2] + 32768) >> 16
    for (let y = 0; y < h; y++) rows.push(resized(grey.subarray(y*width, (y + 1)*width), across))
  }
  const down = triangles(height), columns = across.map((_, x) => resized(rows.map(row => row[x]), down))
  return Uint8Array.from({length: about.size**2}, (_, i) => columns[i%about.size][Math.floor(i/about.size)])
}

function softmax(x) {
  const e = x.map(o => Math.exp(o - Math.max(...x))), sum = e.reduce((a, b) => a + b)
  return e.map(o => o/sum)
}

async function answer(tensor, bytes) {
  for (const [name, session] of Object.entries(sessions)) {
    const times = []
    let outputs
    for (let i = 0; i < 5; i++) {
      const start = performance.now()
      outputs = await session.run({pixels: tensor(bytes)})
      times.push(performance.now() - start)
    }
    shown[name] = {ms: times.sort((a, b) => a - b)[2], side: outputs.map.dims[1]}
    for (const k in outputs) shown[name][k] = Array.from(outputs[k].data)
    for (const k of ['cls_logits', 'dist_logits']) if (shown[name][k]) shown[name][k.replace('logits', 'probs')] = softmax(shown[name][k])
  }
}

// Drawing
function paint(ctx, side, colour) { // colour(i): red, green, blue of pixel i; enlarged smoothly
  const small = canvas(side), image = new ImageData(side, side)
  for (let i = 0; i < side*side; i++) image.data.set([...colour(i), 255], 4*i)
  small.getContext('2d').putImageData(image, 0, 0)
  ctx.drawImage(small, 0, 0, ctx.canvas.width, ctx.canvas.height)
}

function viridis(x) {
  const n = about.colours.length - 1, i = Math.min(Math.floor(x*n), n - 1), [a, b] = about.colours.slice(i, i + 2)
  return a.map((o, k) => o + (x*n - i)*(b[k] - o))
}

function draw(bytes) {
  for (const [i, figure] of result.querySelectorAll('figure').entries()) {
    const ctx = figure.querySelector('canvas').getContext('2d'), name = ['', ...Object.keys(sessions)][i], o = shown[name]
    ctx.globalAlpha = 1
    paint(ctx, about.size, j => Array(3).fill(o ? (bytes[j] + 127.5)/1.5 : bytes[j]))
    if (!o) continue
    ctx.globalAlpha = .6
    paint(ctx, o.side, j => viridis(o.map[j]))
    const top = o.probs.indexOf(Math.max(...o.probs)), most = o.map.indexOf(Math.max(...o.map))
    ctx.canvas.ariaLabel = `Activation map of the ${columns[i-1]}, ${o.side} by ${o.side}: strongest in row ${Math.floor(most/o.side) + 1}, column ${most%o.side + 1}`
    figure.querySelector('figcaption span').textContent = `${about.classes[top]} ${percent(o.probs[top])}\n${o.ms.toFixed(1)} ms`
  }
}

function tabulate(drawn) {
  const all = heads.map(([name, output]) => shown[name][output])
  result.querySelector('tbody').replaceChildren(...about.classes.map((c, i) => {
    const row = document.createElement('tr'), th = document.createElement('th')
    th.scope = 'row'
    th.textContent = c === drawn ? `${c} (drawn)` : c
    row.append(th, ...all.map(probs => {
      const td = document.createElement('td')
      td.textContent = percent(probs[i])
      td.style.setProperty('--p', percent(probs[i]))
      td.classList.toggle('most', probs[i] === Math.max(...probs))
      return td
    }))
    return row
  }))
}

// One picture at a time; of those that wait, the last
let latest = 0, queue = Promise.resolve()
function show(name, source, drawn) {
  const mine = ++latest
  return queue = queue.then(async () => {
    if (mine !== latest) return
    try {
      if (!sessions) status.textContent = 'Loading the networks …'
      const tensor = await (loading ??= load())
      let picture
      try { picture = await source() } catch { throw Error(`${name} is no picture that this browser can read; choose a PNG or JPEG file`) }
      const bytes = greyBytes(picture)
      shown.pixels = Array.from(bytes)
      await answer(tensor, bytes)
      draw(bytes)
      tabulate(drawn)
      result.querySelector('.live-legend i').style.background = `linear-gradient(to right, ${about.colours.map(o => `rgb(${o})`)})`
      result.hidden = false
      status.textContent = `${name}: the teacher says ${said('teacher')}, the student alone ${said('student')}, HDKD ${said('hdkd')}.${drawn ? compared(name) : ''}`
    } catch (e) {
      result.hidden = true // nothing below speaks of this picture
      status.textContent = sessions ? e.message : `The networks could not be loaded (${e.message}); reload the page to try again.`
    }
  })
}
const said = name => about.classes[shown[name].probs.indexOf(Math.max(...shown[name].probs))]

function compared(name) { // with PyTorch's answers, which were stored when the networks were trained
  let most = 0
  for (const [network, outputs] of Object.entries(about.answers[name]))
    for (const k in outputs) outputs[k].forEach((o, i) => most = Math.max(most, Math.abs(o - shown[network][k][i])))
  return ` Answers and maps differ from PyTorch's by ${most.toFixed(6)} at most.`
}

for (const input of document.querySelectorAll('.live-phantoms input')) {
  const img = input.parentElement.querySelector('img')
  input.checked = false // browsers remember
  input.addEventListener('change', () => show(input.value, async () => (await img.decode(), opened(img)), input.value.split(' ')[0]))
}
const file = root.querySelector('input[type=file]')
function take(f) {
  if (!f) return
  document.querySelectorAll('.live-phantoms input').forEach(o => o.checked = false)
  show(f.name, () => opened(f))
}
file.addEventListener('change', () => { take(file.files[0]); file.value = '' })
addEventListener('dragover', e => e.preventDefault())
addEventListener('drop', e => { e.preventDefault(); take(e.dataTransfer.files[0]) })
