"Reads the package's metadata from settings.ini, so that it stands in one place."
from configparser import ConfigParser
from pathlib import Path
from setuptools import find_packages, setup

root = Path(__file__).parent
cfg = ConfigParser(delimiters=['='])
cfg.read(root/'settings.ini', encoding='utf-8')
cfg = cfg['DEFAULT']

setup(
    version=cfg['version'],
    description=cfg['description'],
    long_description=(root/'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    keywords=cfg['keywords'].split(),
    author=cfg['author'],
    license_expression=cfg['license'],
    packages=find_packages(include=['hdkd_fastai*']),
    package_dir={'': '.'}, # so that an editable install is a path, and no folder of the same name hides the package (notebook 20_all)
    install_requires=cfg['requirements'].split(),
    extras_require={o: cfg[f'{o}_requirements'].split() for o in ('dev','docs','hub','kaggle','onnx','peers','ray','serve')},
    entry_points={'console_scripts': cfg['console_scripts'].split() + cfg['dev_scripts'].split(),
                  'nbdev': ['hdkd_fastai=hdkd_fastai._modidx:d']},
)
