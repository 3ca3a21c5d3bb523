"Settings of the site: `sphinx-build -M html nbs _docs -c docs -W` builds it from the notebooks, with their stored outputs."
import os, sys, warnings
from configparser import ConfigParser
from pathlib import Path

from sphinx.errors import ConfigError

here = Path(__file__).parent
for o in ('katex','onnxruntime-web'):
    if not (here/'node_modules'/o).exists(): raise ConfigError(f'{o} is missing; `npm ci --prefix docs` brings it')
warnings.filterwarnings('ignore', category=FutureWarning, module='torch.jit')
sys.path[:0] = [str(here), str(here.parent)]

meta = ConfigParser(delimiters=['='])
meta.read(here.parent/'settings.ini', encoding='utf-8')
meta = meta['DEFAULT']

project,author,release = meta['lib_name'],meta['author'],meta['version']
copyright = author
extensions = ['myst_nb', 'sphinx_external_toc', 'sphinx.ext.githubpages', 'sphinx.ext.autodoc', 'sphinx.ext.viewcode',
              'sphinx_copybutton', 'glue']
exclude_patterns = ['models', '**/.ipynb_checkpoints', # of KaTeX: style sheet and the fonts that browsers ask for
                    'contrib', 'katex.css', 'katex-*', 'katex*.js', '*.mjs', 'fonts/*.ttf', 'fonts/*.woff', 'README.md']
external_toc_path = str(here/'toc.yml')

smartquotes = False

# Notebooks: never executed, directives read as nbdev reads them
nb_execution_mode = 'off'
nb_custom_formats = {'.ipynb': ['glue.read_notebook', {}]}
nb_merge_streams = True
nb_render_markdown_format = 'myst'
myst_enable_extensions = ['dollarmath', 'amsmath', 'attrs_block', 'colon_fence']
myst_heading_anchors = 3

# Reference: signatures from the code, parameter tables from docments
autodoc_typehints = 'none'
autodoc_inherit_docstrings = False
autodoc_member_order = 'bysource'
add_module_names = False

# Equations are typeset while the site is built; the fonts travel with it
html_math_renderer = 'katex'

html_theme = 'furo'
html_theme_options = dict(top_of_page_buttons=[])
html_title = 'HDKD for fastai'
html_favicon = 'static/favicon.svg'
templates_path = ['templates']
ort = 'node_modules/onnxruntime-web/dist/' # for the live page: one thread, on the processor
html_static_path = ['static', 'node_modules/katex/dist', ort+'ort.wasm.bundle.min.mjs', ort+'ort-wasm-simd-threaded.wasm']
html_css_files = ['katex.min.css', 'custom.css']
html_js_files = ['custom.js']
html_sourcelink_suffix = ''
html_show_copyright = False
html_context = dict(repo=os.environ.get('GITHUB_REPOSITORY', '')) # owner/name, as GitHub Actions sets it: for Colab
pygments_style,pygments_dark_style = 'github-light-high-contrast','github-dark-high-contrast'
