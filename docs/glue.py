"What Sphinx does not know about nbdev: directives in cells, docments, and where a name in backticks is explained."
import functools, importlib, inspect, json, re, subprocess
from pathlib import Path

from docutils import nodes
from fastcore.docments import docments
from fastcore.nbio import dict2nb
from nbdev.doclinks import NbdevLookup
from nbdev.process import NBProcessor
from nbformat import from_dict
from sphinx.addnodes import pending_xref
from sphinx.errors import ExtensionError
from sphinx.pycode import ModuleAnalyzer

from hdkd_fastai._modidx import d as index

nbs = Path(__file__).parent.parent/'nbs'

def read_notebook(text):
    "A notebook without nbdev's directives: they become tags, which myst-nb knows or turns into CSS classes"
    nb = NBProcessor(nb=dict2nb(json.loads(text))).nb
    for c in nb.cells:
        d = c.directives_
        tags = [f'nbdev-{o}' for o in d]
        if {'hide','default_exp'}&set(d): tags.append('remove-cell')
        if d.get('echo')=='false': tags.append('remove-input')
        c.metadata = dict(c.metadata, tags=tags)
        if c.cell_type=='markdown': c.source = re.sub(r'\]\(\.\./(\w+)\.md\)', lambda m: f'](about/{m[1].lower()}.md)', c.source)
    keep = ('cell_type','id','source','metadata','outputs','execution_count')
    cells = [{k:v for k,v in c.items() if k in keep} for c in nb.cells]
    return from_dict(dict(cells=cells, metadata=nb.metadata, nbformat=4, nbformat_minor=5))

@functools.cache
def modules():
    "Module to the notebook that makes it, in the order of the notebooks"
    found = {}
    for p in sorted(nbs.glob('*.ipynb')):
        m = re.search(r'#\| *default_exp (\w+)', p.read_text(encoding='utf-8'))
        if m and m[1]!='all' and not m[1].startswith('_'): found[m[1]] = p.stem
    return found

def patched(modname):
    "The methods that a module adds to fastai's `Learner`"
    return [o[len(modname)+1:] for o in index['syms'].get(modname, {}) if o.startswith(f'{modname}.Learner.')]

def summary(module):
    "The one line that its notebook says of a module"
    return importlib.import_module(f'hdkd_fastai.{module}').__doc__

def write_reference(app):
    "One page for each module, and one that lists them"
    api = nbs/'api'
    api.mkdir(exist_ok=True)
    head = lambda o: f'{o}\n{"="*len(o)}\n\n'
    pages = {'index': head('Reference') + 'Every name that the package exports, module by module; ``from hdkd_fastai.all import *`` brings them all.\n\n'
                      '.. list-table::\n   :class: params\n\n' + ''.join(f'   * - :py:mod:`~hdkd_fastai.{m}`\n     - {rst(summary(m))}\n' for m in modules())}
    for m,nb in modules().items():
        pages[m] = (head(m) + f'Explained and tested in :doc:`/{nb}`.\n\n.. automodule:: hdkd_fastai.{m}\n   :members:\n\n'
                    + ''.join(f'.. automethod:: hdkd_fastai.{m}::{o}\n\n' for o in patched(f'hdkd_fastai.{m}')))
    for p in api.glob('*.rst'):
        if p.stem not in pages: p.unlink()
    for k,v in pages.items():
        p = api/f'{k}.rst'
        if not p.exists() or p.read_text(encoding='utf-8')!=v: p.write_text(v, encoding='utf-8')

def targets():
    "Name as prose writes it, to its full Python name; ours only"
    found = {}
    for m,syms in index['syms'].items():
        for k in syms:
            short = k[len(m)+1:]
            if any(o.startswith('_') for o in short.split('.')): continue
            found[short] = found[k] = k
            if short.startswith('Learner.'): found['learn'+short[7:]] = k
    return found

ours,theirs = targets(),NbdevLookup(strip_libs='fastai', skip_mods='fastai.torch_core') # torch_core has a `Module` of its own

def link_names(app, doctree):
    "A name in backticks leads to where it is explained: here, or in fastai's documentation"
    for n in list(doctree.findall(nodes.literal)):
        up = n
        while up := up.parent:
            if isinstance(up, (nodes.reference,pending_xref,nodes.title)): break
        if up: continue
        m = re.fullmatch(r'([\w.]+)(\([^()]*\))?', n.astext())
        if not m: continue
        name = m[1]
        full = ours.get(name)
        if full and not m[2] and re.fullmatch('[a-z0-9]+', name): # a plain word is our name only where it is defined
            mod = full.split('.')[1]
            if app.env.docname not in (f'api/{mod}', modules().get(mod)): continue
        if full:
            new = pending_xref('', refdomain='py', reftype='obj', reftarget=full, refexplicit=True, refwarn=False, refdoc=app.env.docname)
        elif url := re.match('[A-Z]|[a-z]+_', name) and theirs.doc(name): new = nodes.reference('', '', refuri=url)
        else: continue
        n.replace_self(new)
        new += n

def themed(svg):
    "In a page the dark colours of a drawing follow the reader's switch, and the system where the switch stands at auto; paper stays light"
    return re.sub(r'@media \(prefers-color-scheme: dark\) ?\{((?:[^{}]*\{[^{}]*\})+)[^{}]*\}',
                  r'@media (prefers-color-scheme: dark){body:not([data-theme="light"]){\1}} @media not print{body[data-theme="dark"]{\1}}', svg)

def inline_svg(app, doctree):
    "Vector graphics become part of the page, so that they follow its theme; other figures are named to screen readers by number and section"
    unnamed = 0
    for n in list(doctree.findall(nodes.image)):
        if n['uri'].endswith('.svg'): n.replace_self(nodes.raw('', themed((nbs/n['uri']).read_text(encoding='utf-8')), format='html'))
        elif 'alt' not in n:
            up,unnamed = n.parent,unnamed+1
            while up and not isinstance(up, nodes.section): up = up.parent
            n['alt'] = f'Figure {unnamed} of the page' + (f', in the section {up.next_node(nodes.title).astext()!r}' if up else '')

def rst(text):
    "Markdown of a docstring or docment as reStructuredText"
    esc = lambda o: re.sub(r'\\\*(\w+)\\\*', r'\\ *\1*\\ ', re.sub(r'([*_|<>\\])', r'\\\1', o))
    return ''.join(rf'\ ``{o[1:-1]}``\ ' if o.startswith('`') else esc(o) for o in re.split(r'(`[^`]+`)', text))

def type_name(o):
    "An annotation in a few words"
    if o in (inspect.Parameter.empty, type(None)): return ''
    if not isinstance(o, type): return f"``{str(o).replace('typing.', '')}``"
    return f"``{'nn.' if o.__module__.startswith('torch.nn') else ''}{o.__name__}``"

def add_docments(app, what, name, obj, options, lines):
    "Docstrings are Markdown, and a table of docments follows them"
    if not name.startswith('hdkd_fastai') and not getattr(obj, '__module__', '').startswith('hdkd_fastai'): return
    lines[:] = [rst(o) for o in lines]
    if what not in ('function','method','class'): return
    try: docs = docments(obj, full=True, returns=True)
    except (TypeError,ValueError): return
    rows = [(k, o) for k,o in docs.items() if k not in ('self','cls') and (k!='return' or o.docment)]
    if not any(o.docment for _,o in rows): return
    lines += ['', '.. list-table::', '   :class: params', '   :header-rows: 1', '']
    empty = inspect.Parameter.empty
    for row in [('Name', 'Type', 'Default', 'Meaning'),
                *((f'*returns*' if k=='return' else f'**{k}**', type_name(o.anno), f'``{o.default!r}``' if o.get('default', empty) is not empty else '',
                   rst(o.docment or '')) for k,o in rows)]:
        lines += [f"   {'* -' if i==0 else '  -'} {c}" for i,c in enumerate(row)]
    lines.append('')

katex = Path(__file__).parent/'node_modules/katex/dist'
katex_js = """const katex = require(process.argv[1])
require('readline').createInterface({input: process.stdin}).on('line', line => {
  const {latex, display} = JSON.parse(line)
  let html = '', error = ''
  try { html = katex.renderToString(latex, {displayMode: display}) } catch (e) { error = e.message }
  console.log(JSON.stringify({html, error}))
})"""

def typeset(latex, display, node=[]):
    "HTML and MathML of an equation, by one KaTeX that stays up for all of them"
    if not node: node.append(subprocess.Popen(['node', '-e', katex_js, katex/'katex.min.js'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
    node[0].stdin.write(json.dumps(dict(latex=latex, display=display))+'\n')
    node[0].stdin.flush()
    res = json.loads(node[0].stdout.readline())
    if res['error']: raise ExtensionError(f"{res['error']}\nin the equation {latex}")
    return res['html']

def inline_math(self, node):
    self.body.append(f'<span class="math">{typeset(node.astext(), False)}</span>')
    raise nodes.SkipNode

def block_math(self, node):
    self.body.append(self.starttag(node, 'div', CLASS='math') + typeset(node.astext(), True) + '</div>')
    raise nodes.SkipNode

def find_source(app, modname):
    "The source of a method that was patched onto `Learner` is where it was written"
    if not modname.startswith('hdkd_fastai'): return
    code = ModuleAnalyzer.for_module(modname)
    tags = code.find_tags()
    return code.code, tags | {o: tags[o[8:]] for o in patched(modname)}

def caption_level(app, pagename, templatename, context, doctree):
    "The sidebar's captions are headings without a level; readers of screens need one"
    context['furo_navigation_tree'] = context['furo_navigation_tree'].replace('role="heading"', 'role="heading" aria-level="2"')

def setup(app):
    app.add_html_math_renderer('katex', inline_renderers=(inline_math,None), block_renderers=(block_math,None))
    app.connect('builder-inited', write_reference, priority=1)
    app.connect('doctree-read', link_names)
    app.connect('doctree-read', inline_svg)
    app.connect('viewcode-find-source', find_source)
    app.connect('html-page-context', caption_level, priority=900)
    app.connect('autodoc-process-docstring', add_docments)
    return dict(parallel_read_safe=True, parallel_write_safe=False)
