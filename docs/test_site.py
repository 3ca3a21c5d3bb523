"What a reader of the site must not meet, looked for in Chromium: `pytest docs/test_site.py -o python_functions='test_*'`, after a build."
import base64, functools, http.server, io, json, os, random, re, shutil, subprocess, threading
from html.parser import HTMLParser
from pathlib import Path
from statistics import mean
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import pytest
from PIL import Image, ImageOps
from playwright.sync_api import sync_playwright

root = Path(__file__).parent.parent
site = root/'_docs/html'
axe = root/'docs/node_modules/axe-core/axe.min.js'
pages = sorted(p.relative_to(site).as_posix() for p in site.rglob('*.html'))
read = [p for p in pages if not p.startswith('_modules')] # the others hold source code alone
whole = ('index.html','search.html','06_losses.html','api/distill.html','tutorials/brain_mri.html','tutorials/live.html') # each kind of page
assert 'index.html' in pages, f'{site} holds no site; build it first: sphinx-build -M html nbs _docs -c docs -W'

@pytest.fixture(scope='session')
def url():
    "The site on a port of this machine"
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args): pass
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), functools.partial(Quiet, directory=site)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{server.server_port}/'
        server.shutdown()

@pytest.fixture(scope='session')
def browser():
    "Chromium as the system has it; no browser, no pass"
    path = os.environ.get('CHROMIUM') or next(filter(None, map(shutil.which, ('chromium','chromium-browser','google-chrome'))), None)
    assert path, 'No Chromium or Chrome on the path; install one (Debian: apt-get install chromium) or name it in CHROMIUM'
    with sync_playwright() as p:
        b = p.chromium.launch(executable_path=path)
        yield b
        b.close()

def watched(browser, url, **kwargs):
    "A page, and the list to which everything goes that should not happen"
    page,wrong = browser.new_context(**kwargs).new_page(),[]
    page.set_default_timeout(120_000) # a busy machine is no fault of the page
    page.on('console', lambda m: wrong.append(f'{page.url}: console {m.type}: {m.text}') if m.type in ('error','warning') else None)
    page.on('pageerror', lambda e: wrong.append(f'{page.url}: {e}'))
    page.on('request', lambda r: None if r.url.startswith((url,'data:')) else wrong.append(f'{page.url}: asks for {r.url}'))
    page.on('response', lambda r: wrong.append(f'{page.url}: {r.status} for {r.url}') if r.status>=400 else None)
    return page,wrong

class Links(HTMLParser):
    "Anchors and links of a page"
    def __init__(self, text):
        super().__init__()
        self.ids,self.links = set(),set()
        self.feed(text)
    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids |= {attrs[o] for o in ('id','name') if attrs.get(o)}
        self.links |= {attrs[o] for o in ('href','src') if attrs.get(o)}

def test_links():
    found = {p: Links((site/p).read_text(encoding='utf-8')) for p in pages}
    wrong,n = [],0
    for p,o in found.items():
        for link in o.links:
            if urlsplit(link).scheme: continue
            parts,n = urlsplit(urljoin(p, link)),n+1
            target,anchor = unquote(parts.path),unquote(parts.fragment)
            if not (site/target).is_file(): wrong.append(f'{p}: {link} leads nowhere')
            elif anchor and target in found and anchor not in found[target].ids: wrong.append(f'{p}: {link} has no such place')
    assert n>1000 and not wrong, '\n'.join(wrong)

def accessibility(page, whole=True):
    "Findings of axe; without `whole`, of the article less code and numbers, which look the same everywhere and take most of the time"
    context = 'document' if whole else "{include: ['article'], exclude: ['pre','table.dataframe tbody']}"
    page.add_script_tag(path=axe)
    found = page.evaluate(f"axe.run({context}, {{resultTypes: ['violations']}})")['violations']
    return [f"{page.url}: {v['id']}, {v['help']}: {v['nodes'][0]['html'][:200]} and {len(v['nodes'])-1} more" for v in found]

def test_light(browser, url):
    "Every page loads in peace, and a reader of screens can use it"
    page,wrong = watched(browser, url, viewport=dict(width=1300, height=900), color_scheme='light')
    for p in read:
        page.goto(url+p)
        wrong += accessibility(page, p in whole)
    assert not wrong, '\n'.join(wrong)

def test_dark_and_narrow(browser, url):
    "Every page fits a phone in the dark"
    page,wrong = watched(browser, url, viewport=dict(width=390, height=844), color_scheme='dark')
    for p in read:
        page.goto(url+p)
        if (w := page.evaluate('document.documentElement.scrollWidth'))>390: wrong.append(f'{p}: is {w} pixels wide on a screen of 390')
        ground = page.evaluate('getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).map(Number)')
        if max(ground[:3])>60: wrong.append(f'{p}: is not dark, but {ground}')
        if p in whole: wrong += accessibility(page)
    assert not wrong, '\n'.join(wrong)

@pytest.mark.parametrize('page,part,light,dark', [('index.html', 'svg.hdkd text.row', 'rgb(27, 31, 36)', 'rgb(230, 237, 243)'),
                                                 ('06_losses.html', 'svg.hdkd rect.plain', 'rgb(255, 255, 255)', 'rgb(29, 31, 35)')])
def test_drawings_follow_the_switch(browser, url, page, part, light, dark):
    "At first a drawing has the system's theme; one press of Furo's switch asks for the other, and a drawing turns with the page"
    for system,before,after in (('light',light,dark), ('dark',dark,light)):
        p,wrong = watched(browser, url, viewport=dict(width=1300, height=900), color_scheme=system)
        p.goto(url+page)
        colour = lambda: p.locator(part).first.evaluate('o => getComputedStyle(o).fill')
        assert colour()==before, f'system {system}, no choice made'
        p.locator('.theme-toggle:visible').first.click()
        assert colour()==after, f'system {system}, the other chosen'
        assert not wrong, '\n'.join(wrong)

def test_math(browser, url):
    page,wrong = watched(browser, url)
    for p in read:
        text = (site/p).read_text(encoding='utf-8')
        if 'katex-error' in text: wrong.append(f'{p}: an equation was not understood')
    page.goto(url+'06_losses.html')
    assert page.locator('.katex-display').count()>=3
    fonts = page.evaluate("document.fonts.ready.then(f => [...f].filter(o => o.status=='loaded').map(o => o.family))")
    assert {'KaTeX_Main','KaTeX_Math'} <= set(fonts), f'only {fonts} came with the page'
    assert page.locator('.katex-display').first.bounding_box()['height']>20
    assert not wrong, '\n'.join(wrong)

@pytest.mark.parametrize('query,expected', [('MBCSA', {'api/blocks.html','02_blocks.html'}), ('temperature', {'06_losses.html','15_export.html'})])
def test_search(browser, url, query, expected):
    page,wrong = watched(browser, url)
    page.goto(url)
    page.locator('.sidebar-search').fill(query)
    page.keyboard.press('Enter')
    page.locator('#search-results li a').first.wait_for()
    page.wait_for_function("/found|Results/i.test(document.querySelector('#search-results p, .search-summary')?.innerText || '')")
    hits = list(dict.fromkeys(urldefrag(a.get_attribute('href'))[0].split('?')[0] for a in page.locator('#search-results li > a').all())) # pages, each once
    assert expected <= set(hits[:6]), f'{query} finds first {hits[:6]}'
    page.locator('#search-results li > a').first.click()
    assert query.lower() in page.locator('article').inner_text().lower()
    assert not wrong, '\n'.join(wrong)

def test_front_page(browser, url):
    page,wrong = watched(browser, url, viewport=dict(width=1300, height=900))
    weight = []
    page.on('response', lambda r: weight.append(len(r.body())))
    page.goto(url, wait_until='networkidle')
    assert sum(weight)<1e6, f'the front page weighs {sum(weight)} bytes'
    for what in ('svg.hdkd', 'text=cbs=HDKDCallback', 'text=A first result'):
        box = page.locator(what).first.bounding_box()
        assert box['y']+box['height']<=900, f'{what} is below the first screen'
    res = json.loads((root/'results/demo_brain_tumor_mri.json').read_text(encoding='utf-8'))
    text = page.locator('article').inner_text()
    for k in ('student alone','HDKD'): assert f"{mean(r[k]['accuracy'] for r in res['runs']):.1%}" in text
    assert f"{res['gain_points']['mean']:.1f} points" in text
    assert not wrong, '\n'.join(wrong)

live = 'tutorials/live.html'
stored = json.loads((root/'docs/static/live/networks.json').read_text(encoding='utf-8'))

def answered(page, name):
    "What the live page shows once it has answered for the picture `name`: outputs of each network; checked against the table that is read"
    page.wait_for_function("n => document.querySelector('.live [role=status]').innerText.startsWith(n)", arg=f'{name}: the teacher says')
    shown = page.evaluate("import(new URL('../_static/live/live.js', location)).then(o => o.shown)")
    read = [[float(o[:-1])/100 for o in row.locator('td').all_inner_texts()] for row in page.locator('.live tbody tr').all()]
    want = [shown['teacher']['probs'],shown['student']['probs'],*(shown['hdkd'][o] for o in ('probs','cls_probs','dist_probs'))]
    assert max(abs(a-b) for row,ps in zip(read, zip(*want), strict=True) for a,b in zip(row, ps, strict=True))<=.0005001
    return shown

def agrees(shown, name):
    "Do probabilities of all heads and activation maps agree with PyTorch's to 1e-3?"
    for network,outputs in stored['answers'][name].items():
        for k,want in outputs.items():
            assert max(abs(a-b) for a,b in zip(shown[network][k], want, strict=True))<1e-3, (name, network, k)
    assert set(stored['answers'][name]['hdkd'])=={'probs','cls_probs','dist_probs','map'} and all(len(shown[o]['map'])==64 for o in stored['networks'])

def test_live(browser, url):
    "On a phone, by keyboard, after loading without a connection: the answers of PyTorch; then pictures from files, and a file that is none"
    page,wrong = watched(browser, url, viewport=dict(width=390, height=844), color_scheme='dark')
    got = {}
    page.on('requestfinished', lambda r: got.update({r.url: r.sizes()['responseBodySize']}))
    page.goto(url+live, wait_until='networkidle')
    before,box,names = set(got),page.locator('.live'),list(stored['answers'])
    assert not any(o.endswith(('.wasm','.onnx')) for o in before)
    said = float(re.search(r'([0-9.]+) MB', box.locator('[role=status]').inner_text())[1])
    page.locator('.live-phantoms input').first.focus()
    page.keyboard.press('Space')
    agrees(answered(page, names[0]), names[0])
    assert abs(sum(v for k,v in got.items() if k not in before)/1e6-said)<.1
    page.context.set_offline(True)
    for name in names[1:]:
        page.keyboard.press('ArrowRight')
        agrees(answered(page, name), name)
        assert box.locator('tbody th').filter(has_text='(drawn)').inner_text()==f'{name.split()[0]} (drawn)'
    assert page.evaluate('document.documentElement.scrollWidth')<=390
    wrong += accessibility(page)

    data = base64.b64decode(page.locator('.live-phantoms img').nth(2).get_attribute('src').split(',')[1])
    with io.BytesIO() as f:
        Image.open(io.BytesIO(data)).convert('RGB').save(f, 'png')
        page.set_input_files('.live input', dict(name='colours.png', mimeType='image/png', buffer=f.getvalue()))
    agrees(answered(page, 'colours.png'), names[2])
    page.set_input_files('.live input', dict(name='note.png', mimeType='image/png', buffer=b'no picture'))
    page.locator('text=note.png is no picture that this browser can read').wait_for()
    assert page.locator('.live-result').is_hidden()
    page.evaluate("""data => {
      const files = new DataTransfer()
      files.items.add(new File([Uint8Array.from(atob(data), o => o.charCodeAt())], 'dropped.png'))
      document.body.dispatchEvent(new DragEvent('drop', {dataTransfer: files, bubbles: true, cancelable: true}))
    }""", base64.b64encode(data).decode())
    agrees(answered(page, 'dropped.png'), names[2])
    assert box.locator('tbody th').filter(has_text='(drawn)').count()==0
    assert not wrong, '\n'.join(wrong)

def test_live_pixels(browser, url):
    "Noise of other sizes becomes the bytes that Pillow makes of it; tall pictures, of which newer Pillow shrinks columns first, to one level"
    page,wrong = watched(browser, url)
    page.goto(url+live)
    turned = Image.Exif()
    turned[0x112] = 6 # to be shown turned by 90 degrees
    for name,fmt,mode,size,exif,apart in (('glioma 1','png','L',(224,224),b'',0), ('wide','png','RGB',(300,217),b'',0), ('small','png','RGB',(50,40),b'',0),
                                          ('turned','jpeg','RGB',(150,210),turned,0), ('tall','png','RGB',(37,1000),b'',1)):
        f,n = io.BytesIO(),size[0]*size[1]*len(mode)
        Image.frombytes(mode, size, random.Random(0).randbytes(n)).save(f, fmt, exif=exif)
        page.set_input_files('.live input', dict(name=name, mimeType=f'image/{fmt}', buffer=f.getvalue()))
        shown = answered(page, name)
        with Image.open(f) as im: want = ImageOps.exif_transpose(im).convert('L').resize((64,64), Image.BILINEAR).tobytes()
        assert max(abs(a-b) for a,b in zip(shown['pixels'], want, strict=True))<=apart, name
        assert 'PyTorch' not in page.locator('.live [role=status]').inner_text() # nothing is stored of a file, whatever its name
    assert not wrong, '\n'.join(wrong)

def test_live_unreachable(browser, url):
    "Networks that cannot be fetched are said to be missing"
    page = browser.new_context().new_page()
    page.route('**/networks.json', lambda o: o.abort())
    page.goto(url+live)
    page.locator('.live-phantoms label').first.click()
    page.locator('text=/networks could not be loaded .*; reload/').wait_for()

def test_each_notebook_page():
    "Way out (download, Colab), next and previous, contents, and no command of nbdev"
    for nb in sorted((root/'nbs').rglob('*.ipynb')):
        name = nb.relative_to(root/'nbs').with_suffix('').as_posix()
        if '.ipynb_checkpoints' in name: continue
        text = (site/f'{name}.html').read_text(encoding='utf-8')
        assert re.search(rf'<a href="[^"]*_sources/{name}.ipynb" download>', text), f'{name} cannot be downloaded'
        assert (site/f'_sources/{name}.ipynb').read_bytes()==nb.read_bytes()
        assert f"https://colab.research.google.com/github/{os.environ['GITHUB_REPOSITORY']}/blob/main/nbs/{name}.ipynb" in text
        assert 'class="next-page"' in text and (name=='index' or 'class="prev-page"' in text) and 'On this page' in text
        assert not re.search(r'<pre>(<[^>]+>)*#\|', text), f'{name} shows a directive'
