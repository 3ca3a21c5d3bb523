from importlib.metadata import version
__version__ = version('hdkd_fastai')
