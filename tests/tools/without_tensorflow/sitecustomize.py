"""Put this folder on PYTHONPATH, and TensorFlow is not installed: importing it fails as then."""

import sys


class _NotInstalled:
    """Finds the packages of TensorFlow before the real finders do, and says that there are none."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in ("tensorflow", "mtcnn"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, _NotInstalled)
